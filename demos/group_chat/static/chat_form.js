// The forms of a chat page: how the connection is, what is wrong with a name or a message, and Enter.
"use strict";

/** Show the connection's state in words. */
function showState(state, sentence) {
  $("state").dataset.state = state;
  $("state").textContent = sentence;
}

/** Say at the nickname why it cannot be; "" takes the sentence back. */
function refuse(reason) {
  $("refusal").textContent = reason;
  $("nickname").setAttribute("aria-invalid", Boolean(reason));
  if (reason) $("nickname").select();
}

/** Say at the message box what is wrong; "" takes the sentence back. Returns false. */
function warn(sentence) {
  if ($("hint").textContent !== sentence) $("hint").textContent = sentence;
  return false;
}

// Enter sends. While Chinese is being composed it only confirms (229 is how Safari says that).
$("text").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
  event.preventDefault();
  $("compose").requestSubmit();
});

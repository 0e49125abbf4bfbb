"""Sentences with values in them, in another language."""

from course.ground import language, say
from course.ground.sentences import Sentences

CHINESE = Sentences(
    {
        "{number} wrong: {observed}. For help: hint({number})": "{number} 错误：{observed}。提示：hint({number})",
        "{what} expected {wanted}, your function returned {found}": "{what}应为 {wanted}，返回了 {found}",
        "expected {wanted}, your function returned {found}": "应为 {wanted}，返回了 {found}",
        "nothing": "空",
        "expected {wanted} rows, the table has {found} of them{advice}": "应为 {wanted} 行，表里有 {found} 行{advice}",
        ". Your function sent {count} messages": "。它发送了 {count} 条消息",
        ". Your function also received {text}": "。它还收到了 {text}",
    }
)


def test_a_value_that_is_a_sentence_is_translated_too():
    assert CHINESE.translated("expected 3, your function returned nothing") == ("应为 3，返回了 空")


def test_of_several_entries_the_one_that_leaves_least_in_english_is_taken():
    said = "10.1 wrong: expected 3, your function returned 2. For help: hint(10.1)"
    assert CHINESE.translated(said) == "10.1 错误：应为 3，返回了 2。提示：hint(10.1)"


def test_what_no_entry_has_stays_as_it_is():
    assert CHINESE.translated("  expected something else") == "  expected something else"


def test_sentences_that_were_added_to_another_one_are_translated_each():
    said = "expected 3 rows, the table has 2 of them. Your function sent 4 messages. Your function also received 早"
    assert CHINESE.translated(said) == "应为 3 行，表里有 2 行。它发送了 4 条消息。它还收到了 早"


def test_progress_is_shown_in_the_readers_language(capsys):
    """A value at the end of its title does not take what follows for itself."""
    names = ["requirements.lock", "requirements-test.lock"]
    with (
        language.speaking("zh"),
        say.progress(f"Installing the Python packages of {language.listed(names)}") as progress,
    ):
        progress.last -= 10  # it is time for a line
        progress.advance("unpacking")
    said = capsys.readouterr().err.splitlines()
    assert said[0] == f"正在安装 {'、'.join(names)} 的 Python 软件包 ..."
    assert said[1] == f"正在安装 {'、'.join(names)} 的 Python 软件包 ... 1 解包"
    assert said[2].startswith(f"正在安装 {'、'.join(names)} 的 Python 软件包 …… 完成，用时")

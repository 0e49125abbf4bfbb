"""Tests that `python3 -m course test` leaves to `python3 -m course test --all`, which CI runs in a job of its own.

Each costs many times what its place in the daily run is worth; the reason says what stands there instead. A test that somebody names with `::` runs anyway.
"""

_BY_ITS_GOAL = "each is judged by its own goal"
_TWO_OF_EACH = "two of each goal do it"
_ONE_STYLE = "both editions have the same styles: English is read in light, Chinese in dark"
_TWO_SOLUTIONS = "the solutions reach all goals"

LONGER = {
    "bench/test_chat.py::test_a_quick_run_writes_report_and_plot": "its parts and its interruption are tested",
    "bench/test_pool.py::test_a_quick_run_writes_report_and_plot": "its parts are tested",
    "bench/test_messenger.py::test_a_quick_run_writes_report_and_plot": "its parts and its interruption are tested",
    "bench/test_watching.py::test_a_quick_run_reports_and_leaves_nothing": "its verdicts are tested",
    "bench/test_wire.py::test_a_quick_run_reports_and_leaves_no_process": "its parts are tested",
    "course/test_lab.py::test_fresh_clone_runs_with_the_two_commands": "CI begins with these two commands",
    "course/test_lab.py::test_three_checkouts_at_once_find_three_ports": "one finds the usual port taken, and another",
    "course/test_stage.py::test_pictures_of_the_stage_and_of_the_wire": "the pictures of two desks are taken in the same way",
    "course/test_stage.py::test_terminal_steps_show_their_output_in_place[the others]": "one of each kind does it",
    "course/test_stage.py::test_a_web_step_starts_shows_its_clients_and_stops[group_chat]": "two other demos do it",
    "course/test_stage.py::test_a_web_step_starts_shows_its_clients_and_stops[private_chat]": "two other demos do it",
    "course/test_stage.py::test_every_other_step_starts_and_is_stopped_or_ends": "each step runs in its own tests",
    "lessons/test_build_group_chat.py::TestGroupChat::test_a_finished_program_of_the_course_reaches_all_goals": _TWO_SOLUTIONS,
    "lessons/test_build_group_chat.py::TestGroupChat::test_a_right_program_that_lets_in_slowly_reaches_all_goals": _TWO_SOLUTIONS,
    "lessons/test_build_group_chat.py::TestGroupChat::test_each_mutant_reaches_the_goals_before": _BY_ITS_GOAL,
    "lessons/test_build_group_chat.py::TestGroupChat::test_each_goal_is_missed_by_its_other_mutants": _TWO_OF_EACH,
    "lessons/test_build_page.py::TestPage::test_each_mutant_reaches_the_goals_before": _BY_ITS_GOAL,
    "lessons/test_build_private_chat.py::TestPrivateChat::test_a_finished_program_of_the_course_reaches_all_goals": _TWO_SOLUTIONS,
    "lessons/test_build_private_chat.py::TestPrivateChat::test_a_right_program_that_lets_in_slowly_reaches_all_goals": _TWO_SOLUTIONS,
    "lessons/test_build_private_chat.py::TestPrivateChat::test_each_mutant_reaches_the_goals_before": _BY_ITS_GOAL,
    "lessons/test_build_private_chat.py::TestPrivateChat::test_each_goal_is_missed_by_its_other_mutants": _TWO_OF_EACH,
    "lessons/test_builds.py::TestPoolAndLogIn::test_a_finished_program_of_the_course_reaches_all_goals": _TWO_SOLUTIONS,
    "lessons/test_builds.py::TestPoolAndLogIn::test_each_mutant_reaches_the_goals_before": _BY_ITS_GOAL,
    "lessons/test_lesson_copies.py::test_each_page_fits_a_phone_and_each_text_can_be_read[light-Chinese]": _ONE_STYLE,
    "lessons/test_lesson_copies.py::test_each_page_fits_a_phone_and_each_text_can_be_read[dark-English]": _ONE_STYLE,
    "lessons/test_lesson_copies.py::test_nothing_of_a_slide_is_cut_and_no_sentence_is_alone": (
        "a window of another size is laid out by the same lines"
    ),
    "lessons/test_figures.py::test_the_command_makes_them_all_and_a_picture_taken_again_is_the_same": (
        "the drawings and tables are compared, and a picture of the same desks is taken"
    ),
    "lessons/test_lessons_run.py::test_lesson_shows_what_it_keeps[04_compare_honestly]": "it measures for a minute",
    "lessons/test_exercises.py::test_solutions_are_right_in_a_kernel_from_top_to_bottom": (
        "each solution is judged without a kernel, and one notebook in a kernel"
    ),
    "lessons/test_exercises.py::test_every_other_wrong_answer_is_called_wrong": "two of each exercise do it",
    "private_chat/test_pages.py::test_register_befriend_chat_go_away_come_back[two processes]": "one process goes through the same",
    "private_chat/test_nothing_is_lost.py::test_no_message_is_lost_and_none_shown_twice[3-240-1]": (
        "one process goes through the same"
    ),
}


def is_longer(test: str) -> bool:
    """Say whether a test, such as `bench/test_chat.py::test_it[1]`, or all with its name, is left out."""
    return test in LONGER or test.partition("[")[0] in LONGER

"""`python3 -m course build`: list the builds, hand one out, and judge what the student has made of it.

The judging is done by `course.build` with the environment's Python.
"""

from course.ground import environment, language, manifest, place, say
from course.notebooks import builds
from course.verbs import steps


def show() -> int:
    """Print all builds, after which lesson they come, and how far the student is; return the exit code."""
    for build in manifest.read().builds:
        far = language.translated(f"{builds.reached(build.name)} of {len(build.goals)} goals")
        after = language.translated(f"after lesson {build.after}")
        takes, title = map(language.translated, (build.takes, build.title))
        say.line(
            f"  {build.name:<13} {after}   {say.padded(far, 14)}  {say.padded(takes, 18)}  {title}"
        )
    say.line("The minutes are estimates; take the time that you need.")
    say.line("Begin or go on with: python3 -m course build NAME (--watch judges at each save)")
    return 0


def run(name: str, hint: bool, watch: bool) -> int:
    """Hand out one build where that is not done yet, and judge it; return 0 if all its goals are reached.

    Raises:
        CourseError: there is no such build, or what the judging needs cannot be had.
    """
    build = manifest.build(name)
    if build.browser:
        environment.ensure(environment.TEST)
    if builds.hand_out(build):
        say.line(
            f"A new file for you: {place.shown(builds.file(build))}. Open it, and read what it says."
        )
    options = ["--hint"] * hint + ["--watch"] * watch
    if build.database:
        return steps.run_module("course.build", [name, *options])
    try:
        return environment.run("course.build", name, *options)
    except KeyboardInterrupt:  # Ctrl-C has reached it too, and it has said so
        return 130

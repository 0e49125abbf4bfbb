"""`python3 -m course bench`: the side-by-side measurements of `bench/`."""

from course import environment, place, say, steps
from course.errors import CourseError

# These compare the course with itself: the field's other programs are not needed.
ALONE = ("first_start",)


def names() -> list[str]:
    """Return the benchmarks: the modules of `bench/` that can be run."""
    files = sorted((place.ROOT / "bench").glob("*.py"))
    return [file.stem for file in files if "__main__" in file.read_text("utf-8")]


def show() -> None:
    """Print all benchmarks with their titles."""
    for name in names():
        title = steps.title_of(place.ROOT / "bench" / f"{name}.py")
        say.line(f"  {name:<12} {title}")
    say.line("Run one with: python3 -m course bench NAME [--quick]")


def run(name: str, arguments: list[str]) -> int:
    """Run one benchmark on the course's database and return its exit code.

    Raises:
        CourseError: there is no such benchmark, or what it needs cannot be had.
    """
    if name not in names():
        raise CourseError(f"no benchmark is called {name}: python3 -m course bench lists them.")
    if name in ALONE:
        environment.ensure()
        return steps.run_module(f"bench.{name}", arguments)
    environment.ensure(environment.BENCH)
    try:
        environment.ensure(environment.BENCH, environment.BENCH_C)
    except CourseError:
        say.note(
            "The C drivers could not be compiled; the report says what is missing. On Debian and "
            "Ubuntu they need: apt-get install gcc pkg-config python3-dev libmariadb-dev"
        )
    return steps.run_module(f"bench.{name}", arguments)

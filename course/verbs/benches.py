"""`python3 -m course bench`: the side-by-side measurements of `bench/`."""

from pathlib import Path

from course.ground import environment, language, manifest, place, say
from course.ground.errors import CourseError
from course.verbs import steps

# These compare the course with itself, or only calculate: the field's other programs are not needed.
ALONE = ("first_start", "scale")
# These measure several processes that share a Redis as well.
WITH_REDIS = ("chat", "messenger")


def modules() -> dict[str, str]:
    """Return the benchmarks: by name, the modules of `bench/` and of its rooms that can be run."""
    files = [*(place.ROOT / "bench").glob("*.py"), *(place.ROOT / "bench").glob("*/*.py")]
    programs = [file for file in files if "__main__" in file.read_text("utf-8")]
    paths = [file.relative_to(place.ROOT).with_suffix("") for file in programs]
    paths = [path.parent if path.name == "__main__" else path for path in paths]
    return {path.name: ".".join(path.parts) for path in sorted(paths, key=lambda path: path.name)}


def file_of(module: str) -> Path:
    """Return the file that Python runs for a module: its own, or a package's `__main__.py`."""
    path = place.ROOT / module.replace(".", "/")
    return path / "__main__.py" if path.is_dir() else path.with_suffix(".py")


def show() -> int:
    """Print all benchmarks with their titles; return the exit code."""
    for name, module in modules().items():
        title = language.translated(manifest.first_line(file_of(module)))
        say.line(f"  {name:<12} {title}")
    say.line("Run one with: python3 -m course bench NAME [--quick]")
    return 0


def run(name: str, arguments: list[str]) -> int:
    """Run one benchmark on the course's database and return its exit code.

    Raises:
        CourseError: there is no such benchmark, or what it needs cannot be had.
    """
    module = modules().get(name)
    if module is None:
        raise CourseError(f"no benchmark is called {name}: python3 -m course bench lists them.")
    if name in ALONE:
        environment.ensure()
        return steps.run_module(module, arguments)
    environment.ensure(environment.BENCH)
    try:
        environment.ensure(environment.BENCH, environment.BENCH_C)
    except CourseError:
        say.note(
            "The C drivers could not be compiled; the report says what is missing. On Debian and "
            "Ubuntu they need: apt-get install gcc pkg-config python3-dev libmariadb-dev"
        )
    redis = "REDIS_URL" if name in WITH_REDIS else ""
    return steps.run_module(module, arguments, redis)

"""Lambda's behaviour, shown by real worker processes: one event at a time, deadlines, crashes, replacement."""

import asyncio
import itertools
import os
import signal
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from local.gateway import InvokeError, InvokeThrottled, InvokeTimeout
from local.runtime import LambdaRuntime, RuntimeFunction, WorkerLog
from local.runtime.liveness import is_doomed

ROOT = Path(__file__).parents[2]
SAMPLE = "tests/local/handlers/sample"
Run = Callable[[Coroutine[Any, Any, Any]], Any]


def sample(name: str, **options: Any) -> RuntimeFunction:
    return RuntimeFunction(name, f"{SAMPLE}.{name}", **options)


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    with asyncio.Runner() as runner:
        yield runner.run


@pytest.fixture(scope="module")
def runtime(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LambdaRuntime]:
    """Three environments of most functions, started when first asked for."""
    names = ("count", "echo", "explode", "hold", "large", "leave", "pid", "print_lines", "spawn")
    broken = RuntimeFunction("broken", "tests/local/handlers/broken.handler")
    nowhere = RuntimeFunction("nowhere", f"{SAMPLE}.no_such_name")
    functions = [sample(name, timeout=20) for name in names] + [broken, nowhere]
    log = WorkerLog(tmp_path_factory.mktemp("log") / "functions.log")
    runtime = LambdaRuntime(functions, ROOT, workers=3, log=log)
    yield runtime
    run(runtime.stop())
    log.close()


async def eventually(is_true: Callable[[], Any]) -> None:
    while not is_true():
        await asyncio.sleep(0.005)


async def ended(pid: int) -> None:
    def is_gone() -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
        except OSError:
            return True

    await eventually(is_gone)


def error_of(run: Run, call: Awaitable[object]) -> dict[str, object]:
    async def waiting() -> object:
        return await call

    with pytest.raises(InvokeError) as caught:
        run(waiting())
    return caught.value.payload


def test_a_result_is_the_handlers_json(run: Run, runtime: LambdaRuntime) -> None:
    event = {"text": "Grüße 🚦\u2028", "numbers": [1, 2.5, None, True], "deep": {"": []}}
    assert run(runtime.invoke("echo", event)) == event


def test_nothing_returned_is_null(run: Run, runtime: LambdaRuntime) -> None:
    assert run(runtime.invoke("echo", None)) is None


def test_an_exception_is_answered_as_lambda_words_it(run: Run, runtime: LambdaRuntime) -> None:
    payload = error_of(run, runtime.invoke("explode", {}))
    assert (payload["errorType"], payload["errorMessage"]) == ("ValueError", "boom")
    assert "in explode" in str(payload["stackTrace"])


def test_an_exception_does_not_end_the_environment(run: Run, runtime: LambdaRuntime) -> None:
    error_of(run, runtime.invoke("explode", {}))
    before = runtime.pids()["explode"]
    error_of(run, runtime.invoke("explode", {}))
    assert runtime.pids()["explode"] == before


def test_an_unknown_function_is_an_error(run: Run, runtime: LambdaRuntime) -> None:
    assert error_of(run, runtime.invoke("nobody", {}))["errorType"] == "ResourceNotFoundException"


def test_a_module_that_cannot_be_imported_is_reported_to_caller_and_console(
    run: Run, runtime: LambdaRuntime, capfd: pytest.CaptureFixture[str]
) -> None:
    payload = error_of(run, runtime.invoke("broken", {}))
    assert payload["errorType"] == "Runtime.ImportModuleError"
    assert "a_module_that_is_not_there" in str(payload["errorMessage"])
    assert "could not start: Runtime.ImportModuleError" in capfd.readouterr().err


def test_a_missing_handler_is_reported(run: Run, runtime: LambdaRuntime) -> None:
    assert error_of(run, runtime.invoke("nowhere", {}))["errorType"] == "Runtime.HandlerNotFound"


def test_start_does_not_hang_on_a_function_that_cannot_start(run: Run) -> None:
    async def scenario() -> dict[str, list[int]]:
        broken = RuntimeFunction("broken", "tests/local/handlers/broken.handler")
        runtime = LambdaRuntime([broken, sample("pid")], ROOT)
        await runtime.start(2)
        pids = runtime.pids()
        await runtime.stop()
        return pids

    pids = run(scenario())
    assert len(pids["pid"]) == 2


def test_a_worker_that_exits_fails_its_event_and_the_next_one_gets_a_new_worker(
    run: Run, runtime: LambdaRuntime
) -> None:
    for _ in range(2):
        payload = error_of(run, runtime.invoke("leave", {}))
        assert payload["errorType"] == "Runtime.ExitError"
        assert "exit status 7" in str(payload["errorMessage"])


def test_a_result_above_six_megabytes_is_refused(run: Run, runtime: LambdaRuntime) -> None:
    assert error_of(run, runtime.invoke("large", {}))["errorType"] == "Function.ResponseSizeTooLarge"


def test_a_warm_environment_is_used_again(run: Run, runtime: LambdaRuntime) -> None:
    first = run(runtime.invoke("count", {}))
    second = run(runtime.invoke("count", {}))
    assert second == [first[0], first[1] + 1]


def test_concurrent_events_never_share_an_environment_and_excess_ones_wait(
    run: Run, runtime: LambdaRuntime, tmp_path: Path
) -> None:
    started, release = tmp_path / "started", tmp_path / "release"

    async def scenario() -> tuple[list[str], list[object]]:
        event = {"started": str(started), "release": str(release)}
        calls = [asyncio.create_task(runtime.invoke("hold", event)) for _ in range(5)]
        await eventually(lambda: started.exists() and len(started.read_text().split()) >= 3)
        at_once = started.read_text().split()
        release.touch()
        return at_once, await asyncio.gather(*calls)

    at_once, answered = run(scenario())
    assert len(at_once) == len(set(at_once)) == 3
    assert len(answered) == 5
    assert {str(pid) for pid in answered} <= set(at_once)


def test_idle_environments_are_chosen_at_random(run: Run) -> None:
    async def scenario() -> list[object]:
        runtime = LambdaRuntime([sample("pid")], ROOT, workers=3)
        await runtime.start(3)
        seen = [await runtime.invoke("pid", {}) for _ in range(60)]
        assert set(seen) == set(runtime.pids()["pid"])
        await runtime.stop()
        return seen

    seen = run(scenario())
    assert len(set(seen)) == 3
    assert len(set(itertools.pairwise(seen))) > 4


def test_a_caller_that_waited_too_long_for_an_environment_is_throttled(run: Run, tmp_path: Path) -> None:
    event = {"started": str(tmp_path / "started"), "release": str(tmp_path / "release")}

    async def scenario() -> None:
        runtime = LambdaRuntime([sample("hold", timeout=20)], ROOT, workers=1, patience=0.05)
        await runtime.start(1)
        busy = asyncio.create_task(runtime.invoke("hold", event))
        await eventually(Path(event["started"]).exists)
        with pytest.raises(InvokeThrottled):
            await runtime.invoke("hold", event)
        Path(event["release"]).touch()
        await busy
        assert len(Path(event["started"]).read_text().split()) == 1
        await runtime.stop()

    run(scenario())


def test_an_event_that_outlives_the_timeout_costs_the_environment_its_life(run: Run, tmp_path: Path) -> None:
    event = {"started": str(tmp_path / "started"), "release": str(tmp_path / "never")}

    async def scenario() -> None:
        runtime = LambdaRuntime([sample("hold", timeout=0.3)], ROOT, workers=1)
        await runtime.start(1)
        with pytest.raises(InvokeTimeout, match=r"timed out after 0\.30 seconds"):
            await runtime.invoke("hold", event)
        await ended(int(Path(event["started"]).read_text()))
        Path(event["release"]).touch()
        assert await runtime.invoke("hold", event)
        await runtime.stop()

    run(scenario())


def test_kill_9_in_the_middle_fails_that_event_only(run: Run, runtime: LambdaRuntime, tmp_path: Path) -> None:
    event = {"started": str(tmp_path / "started"), "release": str(tmp_path / "release")}

    async def scenario() -> tuple[object, int]:
        call = asyncio.create_task(runtime.invoke("hold", event))
        await eventually(lambda: Path(event["started"]).exists() and Path(event["started"]).read_text())
        victim = int(Path(event["started"]).read_text())
        os.kill(victim, signal.SIGKILL)
        with pytest.raises(InvokeError, match="SIGKILL"):
            await call
        Path(event["release"]).touch()
        return await runtime.invoke("hold", event), victim

    survivor, victim = run(scenario())
    assert survivor != victim
    assert victim not in runtime.pids()["hold"]


def test_no_event_is_given_to_a_worker_that_was_killed_while_idle(run: Run) -> None:
    async def scenario() -> None:
        runtime = LambdaRuntime([sample("pid")], ROOT, workers=2)
        await runtime.start(2)
        for _ in range(8):
            victims = runtime.pids()["pid"]
            for pid in victims:
                os.kill(pid, signal.SIGKILL)
            assert await runtime.invoke("pid", {}) not in victims
        await runtime.stop()

    run(scenario())


def test_killed_environments_are_replaced_up_to_the_minimum_without_being_asked(run: Run) -> None:
    async def scenario() -> None:
        runtime = LambdaRuntime([sample("pid")], ROOT, workers=3)
        await runtime.start(2)
        before = runtime.pids()["pid"]
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        await eventually(lambda: len(set(runtime.pids()["pid"]) - set(before)) == 2)
        await runtime.stop()

    run(scenario())


def test_what_a_handler_started_ends_with_its_environment(run: Run, runtime: LambdaRuntime, tmp_path: Path) -> None:
    child = tmp_path / "child"

    async def scenario() -> None:
        with pytest.raises(InvokeError):
            await runtime.invoke("spawn", {"child": str(child)})
        await ended(int(child.read_text()))

    run(scenario())


def test_a_function_sees_its_declared_environment_and_lambdas_but_not_the_users(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOMETHING_IN_THE_SHELL", "secret")

    async def scenario() -> Any:
        declared = {"GREETING": "hello", "AWS_ACCESS_KEY_ID": "test"}
        function = sample("describe", timeout=9, memory=256, environment=declared, full_name="tc-local-describe")
        runtime = LambdaRuntime([function], ROOT)
        seen = await runtime.invoke("describe", {}, "of-the-first-attempt")
        await runtime.stop()
        return seen

    seen = run(scenario())
    environment = seen["environment"]
    assert environment["GREETING"] == "hello"
    assert environment["AWS_ACCESS_KEY_ID"] == "test"
    assert environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == seen["memory"] == "256"
    assert environment["AWS_REGION"] == "us-east-1"
    assert "SOMETHING_IN_THE_SHELL" not in environment
    assert "HOME" not in environment
    assert seen["cwd"] == str(ROOT)
    assert seen["name"] == "tc-local-describe"
    assert seen["arn"] == "arn:aws:lambda:us-east-1:123456789012:function:tc-local-describe"
    assert 0 < seen["remaining_ms"] <= 9000
    assert seen["request_id"] == "of-the-first-attempt"


def test_a_new_code_version_serves_while_the_old_one_finishes(run: Run, tmp_path: Path) -> None:
    for version in ("old", "new"):
        (tmp_path / version).mkdir()
        wait = "import time\n    while not __import__('os').path.exists(event): time.sleep(0.002)\n"
        code = f"def handler(event, context):\n    {wait}    return '{version}'\n"
        (tmp_path / version / "version.py").write_text(code)
    release = tmp_path / "release"

    async def scenario() -> None:
        runtime = LambdaRuntime([RuntimeFunction("version", "version.handler", timeout=20)], tmp_path / "old")
        await runtime.start(2)
        calls = [asyncio.create_task(runtime.invoke("version", str(release))) for _ in range(2)]
        await asyncio.sleep(0)
        runtime.replace(tmp_path / "new")
        assert await runtime.invoke("version", str(tmp_path)) == "new"
        release.touch()
        assert await asyncio.gather(*calls) == ["old", "old"]
        assert await runtime.invoke("version", str(tmp_path)) == "new"
        await runtime.stop()

    run(scenario())


def test_output_is_logged_line_by_line_with_function_and_process(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "logs" / "functions.log"

    async def scenario() -> int:
        log = WorkerLog(path)
        runtime = LambdaRuntime([sample("print_lines"), sample("explode")], ROOT, log=log)
        await runtime.invoke("print_lines", {})
        (pid,) = runtime.pids()["print_lines"]
        with pytest.raises(InvokeError):
            await runtime.invoke("explode", {})
        await eventually(lambda: "raise ValueError" in path.read_text())
        await runtime.stop()
        log.close()
        return pid

    pid = run(scenario())
    lines = [line.split(" ", 1)[1] for line in path.read_text().splitlines()]
    assert f"print_lines {pid} to stdout" in lines
    assert f"print_lines {pid} to stderr" in lines


def test_a_stopped_runtime_leaves_no_process_and_refuses_events(run: Run) -> None:
    async def scenario() -> None:
        runtime = LambdaRuntime([sample("pid")], ROOT)
        await runtime.start(2)
        pids = runtime.pids()["pid"]
        await runtime.stop()
        await runtime.stop()
        for pid in pids:
            await ended(pid)
        with pytest.raises(InvokeError):
            await runtime.invoke("pid", {})

    run(scenario())


def test_a_caller_that_leaves_the_queue_takes_its_event_along(run: Run, tmp_path: Path) -> None:
    event = {"started": str(tmp_path / "started"), "release": str(tmp_path / "release")}

    async def scenario() -> None:
        runtime = LambdaRuntime([sample("hold", timeout=20)], ROOT, workers=1)
        await runtime.start(1)
        busy = asyncio.create_task(runtime.invoke("hold", event))
        await eventually(Path(event["started"]).exists)
        leaving = asyncio.create_task(runtime.invoke("hold", event))
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        Path(event["release"]).touch()
        await busy
        await runtime.invoke("hold", event)
        assert len(Path(event["started"]).read_text().split()) == 2
        await runtime.stop()

    run(scenario())


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the look into /proc is Linux's")
def test_a_killed_process_is_doomed_at_once() -> None:
    pid = os.posix_spawn("/bin/sleep", ["sleep", "60"], {})
    try:
        assert not is_doomed(pid)
        os.kill(pid, signal.SIGKILL)
        assert is_doomed(pid)
    finally:
        os.waitpid(pid, 0)
    assert is_doomed(pid)

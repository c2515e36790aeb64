"""A duplicate of a step in flight is neither done nor failed."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

from tests.faults.database_proxy import DatabaseProxy, Interference
from tests.functional.world import Deployed, World


def test_duplicates_in_flight_are_told_to_come_back_and_ring_nothing(
    world: World, deployed: Deployed, proxy: DatabaseProxy
) -> None:
    arrived, may_go_on = Event(), Event()

    def hold(_message: bytes) -> Interference:
        arrived.set()
        may_go_on.wait()
        return Interference.FORWARD

    run = world.begin(world.new_secret(port=proxy.port))
    deployed.steps(run, "createSecret")
    proxy.on_message = hold
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(deployed.step, "setSecret", run)
        arrived.wait()
        duplicates = [deployed.step("setSecret", run) for _ in range(2)]
        may_go_on.set()
        assert first.result().outcome == "succeeded"
    for seen in duplicates:
        assert seen.invocation.error_type == "DuplicateInFlightError"
        assert "Come back later" in seen.error
        assert (seen.line["level"], seen.line["outcome"]) == ("WARNING", "in_flight")
        assert (seen.metrics["DuplicateInFlight"], seen.metrics["InvocationFailed"]) == (1.0, 1.0)
        assert not {"Failures", "StepFailed", "RotationFailed", "StepSucceeded"} & set(seen.metrics)
        assert seen.details == []
        assert seen.line["calls"] == {"dynamodb": 1}
    proxy.on_message = lambda _message: Interference.FORWARD
    deployed.steps(run)
    assert world.opens(world.value(run.secret_arn))

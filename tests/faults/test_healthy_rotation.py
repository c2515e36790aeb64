"""What a rotation does when nothing goes wrong: the places at which the other tests let it go wrong."""

import pytest

from tests.faults.lanes import Lanes

CREATE = "dynamodb.PutItem DescribeSecret GetSecretValue PutSecretValue dynamodb.UpdateItem"
LOG_IN = "login login login BEGIN"
PROOF = f"GetSecretValue {LOG_IN} SELECT COMMIT"
TEST = f"dynamodb.PutItem DescribeSecret {PROOF} dynamodb.UpdateItem"
FINISH = f"dynamodb.PutItem DescribeSecret {PROOF} UpdateSecretVersionStage dynamodb.UpdateItem"
BEFORE_SET = "dynamodb.PutItem DescribeSecret GetSecretValue GetSecretValue"
SET = {
    "single-user": f"{LOG_IN} ALTER-ROLE COMMIT",
    "single-user-by-superuser": f"{LOG_IN} COMMIT GetSecretValue {LOG_IN} ALTER-ROLE COMMIT",
    "alternating-users": f"{LOG_IN} COMMIT GetSecretValue {LOG_IN} "
    "SELECT CREATE-ROLE GRANT SELECT ALTER-ROLE SELECT ALTER-ROLE COMMIT",
}


@pytest.mark.parametrize("strategy", SET)
def test_these_are_all_the_calls_and_messages_of_a_healthy_rotation(lanes: Lanes, strategy: str) -> None:
    said: dict[str, list[str]] = {}
    for place in lanes.once(lambda lane: lane.places_of(strategy)):
        prefix = "dynamodb." if place.service == "dynamodb" else ""
        said.setdefault(place.step, []).append(prefix + place.name.replace(" ", "-"))
    assert {step: " ".join(names) for step, names in said.items()} == {
        "createSecret": CREATE,
        "setSecret": f"{BEFORE_SET} {SET[strategy]} dynamodb.UpdateItem",
        "testSecret": TEST,
        "finishSecret": FINISH,
    }

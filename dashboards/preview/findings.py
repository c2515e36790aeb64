"""What a validation finds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that CloudWatch would refuse: the rule's stable name, where it is broken, and how."""

    rule: str
    place: str
    problem: str

    def __str__(self) -> str:
        return f"{self.place}: {self.problem} [{self.rule}]"

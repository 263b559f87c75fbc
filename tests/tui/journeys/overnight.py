"""What happens elsewhere in the journey of the morning after: what fails overnight, and is whole again."""

from collections.abc import Callable, Mapping

from tests.sdk.served import wait_until
from tests.tui.shop import DELIVERY, PRICING, Shop


def make_deeds(shop: Shop) -> Mapping[str, Callable[[], object]]:
    """Return the steps `do ...` of the_morning_after.txt."""

    def fail_overnight():
        shop.post("/v1/workflows", {"document": PRICING})
        for number in range(1, 5):
            shop.start(DELIVERY, number=number)
        shop.run("report", "mon", "tue", "wed", "thu")

    def see_that_the_reports_are_whole():
        wait_until(lambda: len(list_completed(shop, "report")) == 4)
        outputs = [
            shop.get(f"/v1/executions/{each['id']}")["output"] for each in list_completed(shop, "report")
        ]
        assert outputs == [3] * 4

    return {
        "fail overnight": fail_overnight,
        "mend": shop.mend,
        "see that the reports are whole": see_that_the_reports_are_whole,
    }


def list_completed(shop: Shop, workflow: str) -> list[dict[str, object]]:
    return shop.get(f"/v1/executions?workflow={workflow}&status=completed")["items"]

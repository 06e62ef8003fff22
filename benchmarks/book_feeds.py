"""What do market data feeds cost on top of the order book (B8), and what does a subscriber pay to follow?"""

from __future__ import annotations

import sys

from benchmarks.measuring import heading, measured
from benchmarks.order_streams import mix
from mycelial.market.feeds import BookMirror, FeedSpec, MarketFeeds, View

CASES = {
    "L1": [FeedSpec(View.L1)],
    "L2-10": [FeedSpec(View.L2, 10)],
    "L2-10, checksum each message": [FeedSpec(View.L2, 10, checksum=True)],
    "L2-1000": [FeedSpec(View.L2, 1000)],
    "L3-10": [FeedSpec(View.L3, 10)],
    "L3-10, checksum each message": [FeedSpec(View.L3, 10, checksum=True)],
    "L2-10, L2-1000, L3-10, all with checksum": [
        FeedSpec(View.L2, 10, checksum=True),
        FeedSpec(View.L2, 1000, checksum=True),
        FeedSpec(View.L3, 10, checksum=True),
    ],
    "L2-10 every 100 us": [FeedSpec(View.L2, 10, interval_ns=100_000)],
}
BATCH = 8_192
FOLLOWED = 20_000  # inputs that the Python subscriber follows


def main(*, quick: bool = False) -> None:
    """Measure and print."""
    heading("market data: feeds made from events")
    stream = mix(50_000 if quick else 500_000, 2_000)
    stream.check()
    book, batches = stream.opened(), []
    for start in range(0, len(stream.messages), BATCH):
        batches.append(book.apply(stream.messages[start : start + BATCH]))
    inputs = len(stream.messages)
    for name, specs in CASES.items():

        def publish(feeds: MarketFeeds) -> tuple[int, int]:
            messages = rows = 0
            for events in batches:
                for published in feeds.publish(events):
                    messages += len(published.messages)
                    rows += len(published.rows)
            return messages, rows

        timing, results = measured(publish, lambda specs=specs: MarketFeeds(stream.opened(), specs), 3 if quick else 9)
        messages, rows = results[0]
        print(f"   {name:<42}{timing.rate(inputs)} inputs; {messages:,} messages, {rows:,} rows")
    events = stream.opened().apply(stream.messages[:FOLLOWED])
    for spec in (FeedSpec(View.L2, 10, checksum=True), FeedSpec(View.L3, 10, checksum=True)):
        feeds = MarketFeeds(stream.opened(), [spec])
        first = feeds.snapshot(0)
        published = feeds.publish(events)[0]

        def follow(mirror: BookMirror, first: object = first, published: object = published) -> None:
            mirror.apply(first)  # type: ignore[arg-type]
            mirror.apply(published)  # type: ignore[arg-type]

        timing, _ = measured(follow, lambda spec=spec: BookMirror(spec.view, spec.depth), 3)
        print(
            f"   a Python subscriber of {spec.view.name}-10 checks {timing.rate(len(published.messages), 'k')} messages"
        )


if __name__ == "__main__":
    main(quick="--quick" in sys.argv)

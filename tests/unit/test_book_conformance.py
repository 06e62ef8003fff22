"""The life of small order books, line by line: what goes in, what comes out, and what stands in the book afterwards.

The scripts are in the language of `tests.support.book_script`. They cover, among others, every class of defect that the
public survey of matching engines by Flash One found (github.com/flash1-dev/matching-engine-benchmark,
docs/CONFORMANCE.md): queues that lose orders when a neighbour is cancelled, sweeps, amends into a cross, stale handles.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.support.book_inputs import Setup, deposits, instrument, record
from tests.support.book_script import Market
from tests.support.books import EVERY_BOOK

from mycelial.market.book.records import INPUT, Done, EventKind, Kind, Mode, Reject, Side, Stp

PLAIN = Setup(instrument(ladder_ticks=256, max_orders=64), 4)

QUEUES = {
    "cancelling the head leaves the rest in order": """
        A buy a 5@100   | accept a 5@100; rest a 5 | a5@100 /
        B buy b 5@100   | accept b 5@100; rest b 5 | a5@100 b5@100 /
        C buy c 5@100   | accept c 5@100; rest c 5 | a5@100 b5@100 c5@100 /
        A cancel a      | gone a user 0+5 | b5@100 c5@100 /
        D sell s 8@100  | accept s 8@100; trade s b 5@100 left 3; gone b filled 5+0; trade s c 3@100 left 0;
                        | done s filled 8+0 | c2@100 /
    """,
    "cancelling the middle leaves the rest in order": """
        A buy a 5@100   | accept a 5@100; rest a 5 | a5@100 /
        B buy b 5@100   | accept b 5@100; rest b 5 | a5@100 b5@100 /
        C buy c 5@100   | accept c 5@100; rest c 5 | a5@100 b5@100 c5@100 /
        B cancel b      | gone b user 0+5 | a5@100 c5@100 /
        D sell s 8@100  | accept s 8@100; trade s a 5@100 left 3; gone a filled 5+0; trade s c 3@100 left 0;
                        | done s filled 8+0 | c2@100 /
    """,
    "cancelling the tail leaves the rest in order, and the next one joins behind": """
        A sell a 5@100  | accept a 5@100; rest a 5 | / a5@100
        B sell b 5@100  | accept b 5@100; rest b 5 | / a5@100 b5@100
        C sell c 5@100  | accept c 5@100; rest c 5 | / a5@100 b5@100 c5@100
        C cancel c      | gone c user 0+5 | / a5@100 b5@100
        C sell d 1@100  | accept d 1@100; rest d 1 | / a5@100 b5@100 d1@100
        D buy s 11@100  | accept s 11@100; trade s a 5@100 left 6; gone a filled 5+0; trade s b 5@100 left 1;
                        | gone b filled 5+0; trade s d 1@100 left 0; gone d filled 1+0; done s filled 11+0 | /
    """,
    "scattered cancels in a deep queue": """
        A sell a 1@100  | accept a 1@100; rest a 1 | / a1@100
        A sell b 1@100  | accept b 1@100; rest b 1 | / a1@100 b1@100
        A sell c 1@100  | accept c 1@100; rest c 1 | / a1@100 b1@100 c1@100
        A sell d 1@100  | accept d 1@100; rest d 1 | / a1@100 b1@100 c1@100 d1@100
        A sell e 1@100  | accept e 1@100; rest e 1 | / a1@100 b1@100 c1@100 d1@100 e1@100
        A sell f 1@100  | accept f 1@100; rest f 1 | / a1@100 b1@100 c1@100 d1@100 e1@100 f1@100
        A cancel b      | gone b user 0+1 | / a1@100 c1@100 d1@100 e1@100 f1@100
        A cancel e      | gone e user 0+1 | / a1@100 c1@100 d1@100 f1@100
        A cancel a      | gone a user 0+1 | / c1@100 d1@100 f1@100
        B buy s 3@100   | accept s 3@100; trade s c 1@100 left 2; gone c filled 1+0; trade s d 1@100 left 1;
                        | gone d filled 1+0; trade s f 1@100 left 0; gone f filled 1+0; done s filled 3+0 | /
    """,
    "a maker that is filled in part keeps its place between takers": """
        A buy a 5@100   | accept a 5@100; rest a 5 | a5@100 /
        B buy b 5@100   | accept b 5@100; rest b 5 | a5@100 b5@100 /
        C sell s 2@100  | accept s 2@100; trade s a 2@100 left 0; done s filled 2+0 | a3@100 b5@100 /
        C sell t 2@99   | accept t 2@99; trade t a 2@100 left 0; done t filled 2+0 | a1@100 b5@100 /
        C sell u 2@100  | accept u 2@100; trade u a 1@100 left 1; gone a filled 5+0; trade u b 1@100 left 0;
                        | done u filled 2+0 | b4@100 /
    """,
    "a better price goes before an earlier order": """
        A sell a 1@101  | accept a 1@101; rest a 1 | / a1@101
        B sell b 1@100  | accept b 1@100; rest b 1 | / b1@100 a1@101
        C buy s 1@101   | accept s 1@101; trade s b 1@100 left 0; gone b filled 1+0; done s filled 1+0 | / a1@101
    """,
    "a cancel that empties the best level leaves no phantom touch": """
        A sell a 1@101  | accept a 1@101; rest a 1 | / a1@101
        A sell b 1@110  | accept b 1@110; rest b 1 | / a1@101 b1@110
        A cancel a      | gone a user 0+1 | / b1@110
        B buy c 1@105   | accept c 1@105; rest c 1 | c1@105 / b1@110
        B cancel c      | gone c user 0+1 | / b1@110
        A cancel b      | gone b user 0+1 | /
        C buy d 1@200   | accept d 1@200; rest d 1 | d1@200 /
        C cancel d      | gone d user 0+1 | /
        A sell e 1@1    | accept e 1@1; rest e 1 | / e1@1
    """,
    "a partial fill can be cancelled, once": """
        A buy a 5@100   | accept a 5@100; rest a 5 | a5@100 /
        B sell s 2@100  | accept s 2@100; trade s a 2@100 left 0; done s filled 2+0 | a3@100 /
        A cancel a      | gone a user 2+3 | /
        A cancel a      | reject unknown_order | /
    """,
}

SWEEPS = {
    "an exact sweep of several levels leaves nothing": """
        A sell a 2@100  | accept a 2@100; rest a 2 | / a2@100
        A sell b 3@101  | accept b 3@101; rest b 3 | / a2@100 b3@101
        B sell c 4@103  | accept c 4@103; rest c 4 | / a2@100 b3@101 c4@103
        C buy s 9@103   | accept s 9@103; trade s a 2@100 left 7; gone a filled 2+0; trade s b 3@101 left 4;
                        | gone b filled 3+0; trade s c 4@103 left 0; gone c filled 4+0; done s filled 9+0 | /
    """,
    "the remainder of a sweep becomes the touch and can be hit": """
        A sell a 2@100  | accept a 2@100; rest a 2 | / a2@100
        A sell b 3@101  | accept b 3@101; rest b 3 | / a2@100 b3@101
        A sell c 1@110  | accept c 1@110; rest c 1 | / a2@100 b3@101 c1@110
        C buy s 9@105   | accept s 9@105; trade s a 2@100 left 7; gone a filled 2+0; trade s b 3@101 left 4;
                        | gone b filled 3+0; rest s 4 | s4@105 / c1@110
        B sell t 4@105  | accept t 4@105; trade t s 4@105 left 0; gone s filled 9+0; done t filled 4+0 | / c1@110
    """,
    "a marketable limit stops at its own price": """
        A buy a 2@100   | accept a 2@100; rest a 2 | a2@100 /
        A buy b 2@98    | accept b 2@98; rest b 2 | a2@100 b2@98 /
        B sell s 5@99   | accept s 5@99; trade s a 2@100 left 3; gone a filled 2+0; rest s 3 | b2@98 / s3@99
    """,
    "what an immediate order does not get is done": """
        A buy a 2@100     | accept a 2@100; rest a 2 | a2@100 /
        B sell s 5@99 ioc | accept s 5@99; trade s a 2@100 left 3; gone a filled 2+0; done s ioc_rest 2+3 | /
        B sell t 5@99 ioc | accept t 5@99; done t ioc_rest 0+5 | /
    """,
    "a market order goes as far as its protection": """
        A sell a 1@100      | accept a 1@100; rest a 1 | / a1@100
        A sell b 1@110      | accept b 1@110; rest b 1 | / a1@100 b1@110
        A sell c 1@111      | accept c 1@111; rest c 1 | / a1@100 b1@110 c1@111
        B buy s 3@market    | accept s 3@110; trade s a 1@100 left 2; gone a filled 1+0; trade s b 1@110 left 1;
                            | gone b filled 1+0; done s protection 2+1 | / c1@111
        B buy t 3@market ioc | accept t 3@122; trade t c 1@111 left 2; gone c filled 1+0; done t protection 1+2 | /
        B buy u 3@market    | reject no_liquidity | /
    """,
    "protection of a sale is rounded towards the touch": """
        A buy a 1@99         | accept a 1@99; rest a 1 | a1@99 /
        A buy b 1@90         | accept b 1@90; rest b 1 | a1@99 b1@90 /
        A buy c 1@89         | accept c 1@89; rest c 1 | a1@99 b1@90 c1@89 /
        B sell s 3@market    | accept s 3@90; trade s a 1@99 left 2; gone a filled 1+0; trade s b 1@90 left 1;
                             | gone b filled 1+0; done s protection 2+1 | c1@89 /
    """,
    "an unprotected market order goes as far as it needs": """
        A sell a 1@100      | accept a 1@100; rest a 1 | / a1@100
        A sell b 9@200      | accept b 9@200; rest b 9 | / a1@100 b9@200
        A sell c 9@250      | accept c 9@250; rest c 9 | / a1@100 b9@200 c9@250
        B buy s 3@market unprotected | accept s 3@200; trade s a 1@100 left 2; gone a filled 1+0;
                                     | trade s b 2@200 left 0; done s filled 3+0 | / b7@200 c9@250
        B buy t 20@market unprotected | accept t 20@250; trade t b 7@200 left 13; gone b filled 9+0;
                                      | trade t c 9@250 left 4; gone c filled 9+0; done t protection 16+4 | /
    """,
    "an unprotected market order goes past own orders that it cancels": """
        A sell a 1@100      | accept a 1@100; rest a 1 | / a1@100
        B sell b 9@200      | accept b 9@200; rest b 9 | / a1@100 b9@200
        A sell c 9@250      | accept c 9@250; rest c 9 | / a1@100 b9@200 c9@250
        B buy s 3@market unprotected stp=oldest | accept s 3@250; trade s a 1@100 left 2; gone a filled 1+0;
                                                | gone b stp 0+9; trade s c 2@250 left 0; done s filled 3+0 | / c7@250
    """,
    "a market fill-or-kill order counts within its protection": """
        A sell a 1@100      | accept a 1@100; rest a 1 | / a1@100
        A sell b 1@111      | accept b 1@111; rest b 1 | / a1@100 b1@111
        B buy s 2@market fok | accept s 2@110; done s fok_kill 0+2 | / a1@100 b1@111
        B buy t 2@market fok unprotected | accept t 2@111; trade t a 1@100 left 1; gone a filled 1+0;
                                         | trade t b 1@111 left 0; gone b filled 1+0; done t filled 2+0 | /
    """,
    "post-only never takes, not even its own": """
        A sell a 1@100      | accept a 1@100; rest a 1 | / a1@100
        B buy b 1@100 post  | accept b 1@100; done b post_only 0+1 | / a1@100
        A buy c 1@101 post  | accept c 1@101; done c post_only 0+1 | / a1@100
        B buy d 1@99 post   | accept d 1@99; rest d 1 | d1@99 / a1@100
    """,
}

FILL_OR_KILL = {
    "exactly enough": """
        A sell a 2@100      | accept a 2@100; rest a 2 | / a2@100
        A sell b 3@101      | accept b 3@101; rest b 3 | / a2@100 b3@101
        B buy s 5@101 fok   | accept s 5@101; trade s a 2@100 left 3; gone a filled 2+0; trade s b 3@101 left 0;
                            | gone b filled 3+0; done s filled 5+0 | /
    """,
    "one lot short": """
        A sell a 2@100      | accept a 2@100; rest a 2 | / a2@100
        A sell b 3@101      | accept b 3@101; rest b 3 | / a2@100 b3@101
        A sell c 9@102      | accept c 9@102; rest c 9 | / a2@100 b3@101 c9@102
        B buy s 6@101 fok   | accept s 6@101; done s fok_kill 0+6 | / a2@100 b3@101 c9@102
    """,
    "the hidden part of an iceberg counts": """
        A sell a 10@100 iceberg=2 | accept a 10@100; rest a 2/10 | / a2/10@100
        B buy s 5@100 fok   | accept s 5@100; trade s a 2@100 left 3; refill a 2/8; trade s a 2@100 left 1;
                            | refill a 2/6; trade s a 1@100 left 0; done s filled 5+0 | / a1/5@100
        B buy t 6@100 fok   | accept t 6@100; done t fok_kill 0+6 | / a1/5@100
    """,
    "short only because of an own order that stops it": """
        A sell a 2@100      | accept a 2@100; rest a 2 | / a2@100
        B sell b 3@100      | accept b 3@100; rest b 3 | / a2@100 b3@100
        A sell c 9@101      | accept c 9@101; rest c 9 | / a2@100 b3@100 c9@101
        B buy s 3@101 fok   | accept s 3@101; done s fok_kill 0+3 | / a2@100 b3@100 c9@101
        B buy t 3@101 fok stp=both | accept t 3@101; done t fok_kill 0+3 | / a2@100 b3@100 c9@101
        B buy u 2@101 fok   | accept u 2@101; trade u a 2@100 left 0; gone a filled 2+0;
                            | done u filled 2+0 | / b3@100 c9@101
    """,
    "own orders that it cancels do not count, those behind do": """
        A sell a 2@100      | accept a 2@100; rest a 2 | / a2@100
        B sell b 3@100      | accept b 3@100; rest b 3 | / a2@100 b3@100
        A sell c 9@101      | accept c 9@101; rest c 9 | / a2@100 b3@100 c9@101
        B buy s 12@101 fok stp=oldest | accept s 12@101; done s fok_kill 0+12 | / a2@100 b3@100 c9@101
        B buy t 11@101 fok stp=oldest | accept t 11@101; trade t a 2@100 left 9; gone a filled 2+0; gone b stp 0+3;
                                      | trade t c 9@101 left 0; gone c filled 9+0; done t filled 11+0 | /
    """,
    "own orders count when they may trade": """
        A sell a 2@100      | accept a 2@100; rest a 2 | / a2@100
        B sell b 3@100      | accept b 3@100; rest b 3 | / a2@100 b3@100
        B buy s 5@100 fok stp=none | accept s 5@100; trade s a 2@100 left 3; gone a filled 2+0;
                                   | trade s b 3@100 left 0; gone b filled 3+0; done s filled 5+0 | /
    """,
    "a tip refilled behind an own order is out of reach": """
        A sell a 6@100 iceberg=2 | accept a 6@100; rest a 2/6 | / a2/6@100
        B sell b 1@100      | accept b 1@100; rest b 1 | / a2/6@100 b1@100
        B buy s 3@100 fok   | accept s 3@100; done s fok_kill 0+3 | / a2/6@100 b1@100
        B buy t 2@100 fok   | accept t 2@100; trade t a 2@100 left 0; refill a 2/4;
                            | done t filled 2+0 | / b1@100 a2/4@100
    """,
    "against an empty book": """
        B buy s 3@100 fok   | accept s 3@100; done s fok_kill 0+3 | /
    """,
}

SELF_TRADE = {
    "cancel newest: fills before the collision stand, the maker stays": """
        A sell a 2@100      | accept a 2@100; rest a 2 | / a2@100
        B sell b 3@100      | accept b 3@100; rest b 3 | / a2@100 b3@100
        B buy s 9@100       | accept s 9@100; trade s a 2@100 left 7; gone a filled 2+0; done s stp 2+7 | / b3@100
    """,
    "cancel oldest: the maker goes, the taker goes on": """
        A sell a 2@100      | accept a 2@100; rest a 2 | / a2@100
        B sell b 3@100      | accept b 3@100; rest b 3 | / a2@100 b3@100
        A sell c 1@101      | accept c 1@101; rest c 1 | / a2@100 b3@100 c1@101
        B buy s 9@101 stp=oldest | accept s 9@101; trade s a 2@100 left 7; gone a filled 2+0; gone b stp 0+3;
                                 | trade s c 1@101 left 6; gone c filled 1+0; rest s 6 | s6@101 /
    """,
    "cancel both: first the maker, then the taker": """
        A sell a 2@100      | accept a 2@100; rest a 2 | / a2@100
        B sell b 3@100      | accept b 3@100; rest b 3 | / a2@100 b3@100
        A sell c 1@101      | accept c 1@101; rest c 1 | / a2@100 b3@100 c1@101
        B buy s 9@101 stp=both | accept s 9@101; trade s a 2@100 left 7; gone a filled 2+0; gone b stp 0+3;
                               | done s stp 2+7 | / c1@101
    """,
    "none: they trade": """
        B sell b 3@100      | accept b 3@100; rest b 3 | / b3@100
        B buy s 4@100 stp=none | accept s 4@100; trade s b 3@100 left 1; gone b filled 3+0; rest s 1 | s1@100 /
    """,
    "a group is one trader; the mode is the taker's": """
        A sell a 3@100 group=7 stp=none | accept a 3@100; rest a 3 | / a3@100
        B buy s 1@100 group=7   | accept s 1@100; done s stp 0+1 | / a3@100
        B buy t 1@100 group=8   | accept t 1@100; trade t a 1@100 left 0; done t filled 1+0 | / a2@100
        B buy u 1@100           | accept u 1@100; trade u a 1@100 left 0; done u filled 1+0 | / a1@100
        A buy v 1@100           | accept v 1@100; done v stp 0+1 | / a1@100
    """,
    "the hidden part of an own iceberg goes with its tip": """
        B sell b 6@100 iceberg=2 | accept b 6@100; rest b 2/6 | / b2/6@100
        A sell a 1@100           | accept a 1@100; rest a 1 | / b2/6@100 a1@100
        B buy s 1@100 stp=oldest | accept s 1@100; gone b stp 0+6; trade s a 1@100 left 0; gone a filled 1+0;
                                 | done s filled 1+0 | /
    """,
    "an own order behind the last fill is not touched": """
        A sell a 2@100      | accept a 2@100; rest a 2 | / a2@100
        B sell b 3@100      | accept b 3@100; rest b 3 | / a2@100 b3@100
        B buy s 2@100 stp=oldest | accept s 2@100; trade s a 2@100 left 0; gone a filled 2+0;
                                 | done s filled 2+0 | / b3@100
    """,
}

AMENDS = {
    "a cut keeps the place, a rise loses it": """
        A buy a 5@100           | accept a 5@100; rest a 5 | a5@100 /
        B buy b 5@100           | accept b 5@100; rest b 5 | a5@100 b5@100 /
        A amend a lots=3        | amend a 3@100 was 100 kept | a3@100 b5@100 /
        A amend a lots=4        | amend a 4@100 was 100; rest a 4 | b5@100 a4@100 /
    """,
    "another price joins the back of its queue": """
        A buy a 5@100           | accept a 5@100; rest a 5 | a5@100 /
        B buy b 5@99            | accept b 5@99; rest b 5 | a5@100 b5@99 /
        A amend a price=99      | amend a 5@99 was 100; rest a 5 | b5@99 a5@99 /
        B amend b price=100 lots=2 | amend b 2@100 was 99; rest b 2 | b2@100 a5@99 /
    """,
    "an amend of one of two orders at a price leaves its sibling": """
        A sell a 5@100          | accept a 5@100; rest a 5 | / a5@100
        A sell b 5@100          | accept b 5@100; rest b 5 | / a5@100 b5@100
        A amend b price=102     | amend b 5@102 was 100; rest b 5 | / a5@100 b5@102
        C buy s 6@101           | accept s 6@101; trade s a 5@100 left 1; gone a filled 5+0; rest s 1 | s1@101 / b5@102
    """,
    "a buy amended into a cross at the maker's price": """
        A sell a 2@105          | accept a 2@105; rest a 2 | / a2@105
        B buy b 5@100           | accept b 5@100; rest b 5 | b5@100 / a2@105
        B amend b price=105     | amend b 5@105 was 100; trade b a 2@105 left 3; gone a filled 2+0; rest b 3 | b3@105 /
    """,
    "a buy amended beyond the maker's price trades at the maker's": """
        A sell a 5@105          | accept a 5@105; rest a 5 | / a5@105
        B buy b 5@100           | accept b 5@100; rest b 5 | b5@100 / a5@105
        B amend b price=120     | amend b 5@120 was 100; trade b a 5@105 left 0; gone a filled 5+0;
                                | done b filled 5+0 | /
    """,
    "a sell amended into a cross at the maker's price": """
        A buy a 2@100           | accept a 2@100; rest a 2 | a2@100 /
        B sell b 5@105          | accept b 5@105; rest b 5 | a2@100 / b5@105
        B amend b price=100     | amend b 5@100 was 105; trade b a 2@100 left 3; gone a filled 2+0; rest b 3 | / b3@100
    """,
    "a sell amended beyond the maker's price trades at the maker's": """
        A buy a 5@100           | accept a 5@100; rest a 5 | a5@100 /
        B sell b 5@105          | accept b 5@105; rest b 5 | a5@100 / b5@105
        B amend b price=90      | amend b 5@90 was 105; trade b a 5@100 left 0; gone a filled 5+0; done b filled 5+0 | /
    """,
    "an amend that crosses an own order obeys its own prevention mode": """
        A sell a 2@105          | accept a 2@105; rest a 2 | / a2@105
        A buy b 5@100           | accept b 5@100; rest b 5 | b5@100 / a2@105
        A buy c 1@99 stp=oldest | accept c 1@99; rest c 1 | b5@100 c1@99 / a2@105
        A amend b price=106     | amend b 5@106 was 100; done b stp 0+5 | c1@99 / a2@105
        A amend c price=106     | amend c 1@106 was 99; gone a stp 0+2; rest c 1 | c1@106 /
    """,
    "the total counts what is filled already": """
        A buy a 5@100           | accept a 5@100; rest a 5 | a5@100 /
        B sell s 2@100          | accept s 2@100; trade s a 2@100 left 0; done s filled 2+0 | a3@100 /
        A amend a lots=6        | amend a 4@100 was 100; rest a 4 | a4@100 /
        A amend a lots=3        | amend a 1@100 was 100 kept | a1@100 /
        A amend a lots=2        | gone a user 2+1 | /
        A amend a lots=9        | reject unknown_order | /
    """,
    "a total below what is filled cancels, whatever else is asked": """
        A buy a 5@100           | accept a 5@100; rest a 5 | a5@100 /
        B sell s 2@100          | accept s 2@100; trade s a 2@100 left 0; done s filled 2+0 | a3@100 /
        A amend a lots=1 price=-7 | gone a user 2+3 | /
    """,
    "a post-only order does not become a taker": """
        A sell a 2@105          | accept a 2@105; rest a 2 | / a2@105
        B buy b 5@100 post      | accept b 5@100; rest b 5 | b5@100 / a2@105
        B amend b price=105     | reject post_only_amend | b5@100 / a2@105
        B amend b price=104     | amend b 5@104 was 100; rest b 5 | b5@104 / a2@105
    """,
    "what an amend must not say": """
        A buy a 5@100           | accept a 5@100; rest a 5 | a5@100 /
        A amend a lots=0        | reject bad_lots | a5@100 /
        A amend a lots=-2       | reject bad_lots | a5@100 /
        A amend a lots=1001     | reject max_lots | a5@100 /
        A amend a price=0       | reject bad_tick | a5@100 /
        A amend a price=256     | reject out_of_ladder | a5@100 /
        A amend a tip=2         | reject bad_display | a5@100 /
        A amend a               | reject no_change | a5@100 /
        A amend a lots=5 price=100 tip=0 | reject no_change | a5@100 /
        B amend a lots=4        | reject not_owner | a5@100 /
        A amend #0 lots=4       | reject unknown_order | a5@100 /
    """,
    "by client id": """
        A buy a 5@100 id=7      | accept a 5@100; rest a 5 | a5@100 /
        B buy b 5@100 id=7      | accept b 5@100; rest b 5 | a5@100 b5@100 /
        A amend id=7 lots=2     | amend a 2@100 was 100 kept | a2@100 b5@100 /
        C amend id=7 lots=2     | reject unknown_order | a2@100 b5@100 /
    """,
}

NAMES = {
    "a stale cancel and a stale amend after a fill": """
        A buy a 5@100           | accept a 5@100; rest a 5 | a5@100 /
        B sell s 5@100          | accept s 5@100; trade s a 5@100 left 0; gone a filled 5+0; done s filled 5+0 | /
        A cancel a              | reject unknown_order | /
        A amend a lots=6        | reject unknown_order | /
        B cancel s              | reject unknown_order | /
    """,
    "a slot is used again, its old handle is not": """
        A buy a 5@100           | accept a 5@100; rest a 5 | a5@100 /
        A cancel a              | gone a user 0+5 | /
        A buy b 5@100           | accept b 5@100; rest b 5 | b5@100 /
        A cancel a              | reject unknown_order | b5@100 /
        A cancel #1             | reject unknown_order | b5@100 /
        A cancel #4294967297    | gone b user 0+5 | /
    """,
    "handles that were never given": """
        A buy a 5@100           | accept a 5@100; rest a 5 | a5@100 /
        A cancel #0             | reject unknown_order | a5@100 /
        A cancel #2             | reject unknown_order | a5@100 /
        A cancel #-1            | reject unknown_order | a5@100 /
        A cancel #-2            | reject unknown_order | a5@100 /
        A cancel #4294967297    | reject unknown_order | a5@100 /
        A cancel #9223372036854775807 | reject unknown_order | a5@100 /
        A cancel #1             | gone a user 0+5 | /
    """,
    "a client id is free again after its order": """
        A buy a 5@100 id=7      | accept a 5@100; rest a 5 | a5@100 /
        A buy b 5@100 id=7      | reject dup_client_id | a5@100 /
        B buy c 5@100 id=7      | accept c 5@100; rest c 5 | a5@100 c5@100 /
        A cancel id=7           | gone a user 0+5 | c5@100 /
        A cancel id=7           | reject unknown_order | c5@100 /
        A buy d 5@100 id=7      | accept d 5@100; rest d 5 | c5@100 d5@100 /
        D sell s 5@100 id=7 ioc | accept s 5@100; trade s c 5@100 left 0; gone c filled 5+0;
                                | done s filled 5+0 | d5@100 /
        D sell t 1@200 id=7     | accept t 1@200; rest t 1 | d5@100 / t1@200
        B buy e 1@90 id=7       | accept e 1@90; rest e 1 | d5@100 e1@90 / t1@200
    """,
    "client id 0 is no name": """
        A buy a 5@100           | accept a 5@100; rest a 5 | a5@100 /
        A buy b 5@100           | accept b 5@100; rest b 5 | a5@100 b5@100 /
        A cancel id=0           | reject unknown_order | a5@100 b5@100 /
    """,
    "only the owner cancels": """
        A buy a 5@100           | accept a 5@100; rest a 5 | a5@100 /
        B cancel a              | reject not_owner | a5@100 /
        E cancel a              | reject bad_owner | a5@100 /
    """,
    "all orders of an owner, by side": """
        A buy a 1@99            | accept a 1@99; rest a 1 | a1@99 /
        A buy b 1@100           | accept b 1@100; rest b 1 | b1@100 a1@99 /
        B buy c 1@100           | accept c 1@100; rest c 1 | b1@100 c1@100 a1@99 /
        A sell d 1@103          | accept d 1@103; rest d 1 | b1@100 c1@100 a1@99 / d1@103
        A sell e 1@102          | accept e 1@102; rest e 1 | b1@100 c1@100 a1@99 / e1@102 d1@103
        A cancel all buys       | gone b mass 0+1; gone a mass 0+1 | c1@100 / e1@102 d1@103
        A buy f 1@100           | accept f 1@100; rest f 1 | c1@100 f1@100 / e1@102 d1@103
        A cancel all            | gone f mass 0+1; gone e mass 0+1; gone d mass 0+1 | c1@100 /
        A cancel all            | - | c1@100 /
        B cancel all sells      | - | c1@100 /
    """,
}

ICEBERGS = {
    "a new tip goes to the back of its level": """
        A sell a 6@100 iceberg=2 | accept a 6@100; rest a 2/6 | / a2/6@100
        B sell b 3@100          | accept b 3@100; rest b 3 | / a2/6@100 b3@100
        C buy s 3@100           | accept s 3@100; trade s a 2@100 left 1; refill a 2/4; trade s b 1@100 left 0;
                                | done s filled 3+0 | / b2@100 a2/4@100
        C buy t 3@100           | accept t 3@100; trade t b 2@100 left 1; gone b filled 3+0; trade t a 1@100 left 0;
                                | done t filled 3+0 | / a1/3@100
        C buy u 3@100           | accept u 3@100; trade u a 1@100 left 2; refill a 2; trade u a 2@100 left 0;
                                | gone a filled 6+0; done u filled 3+0 | /
    """,
    "a taker goes round at one price before it moves on": """
        A sell a 5@100 iceberg=2 | accept a 5@100; rest a 2/5 | / a2/5@100
        B sell b 3@100 iceberg=1 | accept b 3@100; rest b 1/3 | / a2/5@100 b1/3@100
        B sell c 9@101          | accept c 9@101; rest c 9 | / a2/5@100 b1/3@100 c9@101
        C buy s 9@101           | accept s 9@101; trade s a 2@100 left 7; refill a 2/3; trade s b 1@100 left 6;
                                | refill b 1/2; trade s a 2@100 left 4; refill a 1; trade s b 1@100 left 3;
                                | refill b 1; trade s a 1@100 left 2; gone a filled 5+0; trade s b 1@100 left 1;
                                | gone b filled 3+0; trade s c 1@101 left 0; done s filled 9+0 | / c8@101
    """,
    "a tip that ends with the taker is refilled at once": """
        A buy a 4@100 iceberg=2 | accept a 4@100; rest a 2/4 | a2/4@100 /
        B buy b 1@100           | accept b 1@100; rest b 1 | a2/4@100 b1@100 /
        C sell s 2@100          | accept s 2@100; trade s a 2@100 left 0; refill a 2;
                                | done s filled 2+0 | b1@100 a2@100 /
    """,
    "as a taker it brings all it has": """
        A buy a 5@100           | accept a 5@100; rest a 5 | a5@100 /
        B sell b 9@100 iceberg=3 | accept b 9@100; trade b a 5@100 left 4; gone a filled 5+0; rest b 3/4 | / b3/4@100
    """,
    "its display is from a fifth of it to all of it": """
        A buy a 10@100 iceberg=1  | reject bad_display | /
        A buy a 10@100 iceberg=0  | reject bad_display | /
        A buy a 10@100 iceberg=11 | reject bad_display | /
        A buy a 10@100 display=2  | reject bad_display | /
        A buy a 10@100 iceberg=2  | accept a 10@100; rest a 2/10 | a2/10@100 /
        A buy b 10@100 iceberg=10 | accept b 10@100; rest b 10 | a2/10@100 b10@100 /
    """,
    "a cut takes from the hidden part first": """
        A buy a 10@100 iceberg=4  | accept a 10@100; rest a 4/10 | a4/10@100 /
        B buy b 1@100             | accept b 1@100; rest b 1 | a4/10@100 b1@100 /
        A amend a lots=6          | amend a 4/6@100 was 100 kept | a4/6@100 b1@100 /
        A amend a lots=3          | amend a 3@100 was 100 kept | a3@100 b1@100 /
        C sell s 3@100            | accept s 3@100; trade s a 3@100 left 0; gone a filled 3+0;
                                  | done s filled 3+0 | b1@100 /
    """,
    "a smaller display keeps the place, a larger one does not": """
        A buy a 10@100 iceberg=4  | accept a 10@100; rest a 4/10 | a4/10@100 /
        B buy b 1@100             | accept b 1@100; rest b 1 | a4/10@100 b1@100 /
        A amend a tip=2           | amend a 2/10@100 was 100 kept | a2/10@100 b1@100 /
        A amend a tip=1           | reject bad_display | a2/10@100 b1@100 /
        A amend a lots=11         | reject bad_display | a2/10@100 b1@100 /
        A amend a tip=5           | amend a 5/10@100 was 100; rest a 5/10 | b1@100 a5/10@100 /
        A amend a tip=11          | reject bad_display | b1@100 a5/10@100 /
    """,
    "a tip that is used in part is not topped up by a cut": """
        A buy a 10@100 iceberg=4  | accept a 10@100; rest a 4/10 | a4/10@100 /
        B sell s 3@100            | accept s 3@100; trade s a 3@100 left 0; done s filled 3+0 | a1/7@100 /
        A amend a lots=8          | amend a 1/5@100 was 100 kept | a1/5@100 /
        A amend a price=101       | amend a 4/5@101 was 100; rest a 4/5 | a4/5@101 /
    """,
}

TIME = {
    "an order that expires in the nanosecond of a take is gone": """
        A sell a 5@100 gtd=10     | accept a 5@100; rest a 5 | / a5@100
        B sell b 5@101            | accept b 5@101; rest b 5 | / a5@100 b5@101
        t=9 C buy s 1@101         | accept s 1@101; trade s a 1@100 left 0; done s filled 1+0 | / a4@100 b5@101
        t=10 C buy t 1@101        | gone a expired 1+4; accept t 1@101; trade t b 1@101 left 0;
                                  | done t filled 1+0 | / b4@101
    """,
    "expiries come in order of time, then of acceptance": """
        A buy a 1@90 gtd=20       | accept a 1@90; rest a 1 | a1@90 /
        A buy b 1@99 gtd=10       | accept b 1@99; rest b 1 | b1@99 a1@90 /
        A sell c 1@110 gtd=10     | accept c 1@110; rest c 1 | b1@99 a1@90 / c1@110
        A buy d 1@100 gtd=30      | accept d 1@100; rest d 1 | d1@100 b1@99 a1@90 / c1@110
        A amend b price=98        | amend b 1@98 was 99; rest b 1 | d1@100 b1@98 a1@90 / c1@110
        t=29 clock                | gone b expired 0+1; gone c expired 0+1; gone a expired 0+1 | d1@100 /
        t=29 clock                | - | d1@100 /
    """,
    "a rejected input moves time too": """
        A buy a 1@90 gtd=20       | accept a 1@90; rest a 1 | a1@90 /
        t=25 A cancel a           | gone a expired 0+1; reject unknown_order | /
    """,
    "time does not go back": """
        t=5 A buy a 1@90          | accept a 1@90; rest a 1 | a1@90 /
        t=4 A cancel a            | reject bad_clock | a1@90 /
        t=4 clock                 | reject bad_clock | a1@90 /
        t=5 A cancel a            | gone a user 0+1 | /
    """,
    "an expiry is later than now, and only for good-till-date": """
        t=5 A buy a 1@90 gtd=5    | reject bad_tif | /
        A buy a 1@market gtd=9    | reject bad_tif | /
        A buy a 1@90 expire=6     | accept a 1@90; rest a 1 | a1@90 /
        t=9 clock                 | - | a1@90 /
    """,
    "expiry does not care about the mode": """
        A buy a 1@90 gtd=20       | accept a 1@90; rest a 1 | a1@90 /
        mode maintenance          | mode maintenance was online | a1@90 /
        t=20 clock                | gone a expired 0+1 | /
    """,
}

REFUSALS = {
    "sizes": """
        A buy a 0@100           | reject bad_lots | /
        A buy a -1@100          | reject bad_lots | /
        A buy a 1001@100        | reject max_lots | /
        A buy a 1000@100        | accept a 1000@100; rest a 1000 | a1000@100 /
    """,
    "prices": """
        A buy a 1@0             | reject bad_tick | /
        A buy a 1@-1            | reject bad_tick | /
        A buy a 1@256           | reject out_of_ladder | /
        A buy a 1@9223372036854775807 | reject out_of_ladder | /
        A buy a 1@1             | accept a 1@1; rest a 1 | a1@1 /
        A buy b 1@255           | accept b 1@255; rest b 1 | b1@255 a1@1 /
        B sell s 1@1            | accept s 1@1; trade s b 1@255 left 0; gone b filled 1+0; done s filled 1+0 | a1@1 /
        B sell t 2@1            | accept t 2@1; trade t a 1@1 left 1; gone a filled 1+0; rest t 1 | / t1@1
    """,
    "combinations that make no sense": """
        A buy a 1@100 post ioc  | reject bad_tif | /
        A buy a 1@100 post fok  | reject bad_tif | /
        A buy a 1@market post   | reject bad_tif | /
        A buy a 1@100 iceberg=1 ioc | reject bad_tif | /
        A buy a 1@market iceberg=1 | reject bad_tif | /
        A buy a 1@100 tif=4     | reject bad_record | /
        A buy a 1@100 stp=newest flags=32 | reject bad_record | /
        E buy a 1@100           | reject bad_owner | /
        E fund cash 1           | reject bad_owner | /
        E cancel all            | reject bad_owner | /
        A fund cash 0           | reject bad_record | /
    """,
}

EVERY_CASE = {
    f"{topic}: {name}": script
    for topic, cases in {
        "queue": QUEUES,
        "sweep": SWEEPS,
        "fill or kill": FILL_OR_KILL,
        "self-trade": SELF_TRADE,
        "amend": AMENDS,
        "names": NAMES,
        "iceberg": ICEBERGS,
        "time": TIME,
        "refusal": REFUSALS,
    }.items()
    for name, script in cases.items()
}

pytestmark = pytest.mark.parametrize("make", EVERY_BOOK)


@pytest.mark.parametrize("case", EVERY_CASE)
def test_script(case: str, make: Any):
    Market(make, PLAIN).play(EVERY_CASE[case])

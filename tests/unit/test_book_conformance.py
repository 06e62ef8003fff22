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


# ---- every mode and every kind -------------------------------------------------------------------------------------

# What each mode does with each input; "." lets it through. A holds 10 lots: its sale reduces, a purchase does not.
MODES = """
                        online  limit_only  post_only  reduce_only      cancel_only  maintenance  closed
    A buy x 1@90          .         .         mode     reduce_only         mode         mode       mode
    A sell x 1@120        .         .         mode         .               mode         mode       mode
    A sell x 11@120    no_funds  no_funds     mode     reduce_only         mode         mode       mode
    A buy x 1@90 post     .         .          .       reduce_only         mode         mode       mode
    A buy x 1@market      .        mode       mode     reduce_only         mode         mode       mode
    A sell x 1@market     .        mode       mode         .               mode         mode       mode
    A amend p lots=1      .         .          .           .               mode         mode       mode
    A amend p lots=3      .         .          .       reduce_only         mode         mode       mode
    A amend p price=91    .         .          .           .               mode         mode       mode
    A amend q lots=1      .         .         mode         .               mode         mode       mode
    A amend #9 lots=1  unknown_order unknown_order unknown_order unknown_order mode     mode       mode
    A cancel p            .         .          .           .                .           mode       mode
    A cancel all          .         .          .           .                .           mode       mode
    A fund cash 1         .         .          .           .                .           mode        .
    clock                 .         .          .           .                .            .          .
    mode online           .         .          .           .                .            .          .
"""


def _mode_cases() -> list[tuple[str, str, str]]:
    header, *rows = MODES.strip("\n").splitlines()
    modes = header.split()
    cases = []
    for row in rows:
        words = row.split()
        sent, answers = " ".join(words[: -len(modes)]), words[-len(modes) :]
        cases += [(mode, sent, answer) for mode, answer in zip(modes, answers, strict=True)]
    return cases


@pytest.mark.parametrize(("mode", "sent", "answer"), _mode_cases())
def test_each_mode_lets_through_what_it_should(mode: str, sent: str, answer: str, make: Any):
    market = Market(make, PLAIN, asset=0)
    for line in ("A fund asset 10", "B fund asset 10", "C buy bid 1@80", "B sell ask 1@130"):
        market.send(line)
    market.send("A buy p 2@90 post")
    market.send("A buy q 2@90")

    market.send(f"mode {mode}")
    happened = market.send(sent)

    refused = happened.removeprefix("reject ") if happened.startswith("reject") else "."
    assert refused == answer


def test_an_order_that_reduces_is_measured_by_the_whole_position(make: Any):
    setup = Setup(PLAIN.instrument, 3, may_borrow=True)
    Market(make, setup, asset=0).play("""
        A fund asset 5          | post A asset 5 | /
        A sell a 3@120          | accept a 3@120; rest a 3 | / a3@120
        A sell b 6@110 reduce   | reject reduce_only | / a3@120
        A sell b 5@110 reduce   | accept b 5@110; rest b 5 | / b5@110 a3@120
        A buy c 1@100 reduce    | reject reduce_only | / b5@110 a3@120
        B buy s 5@110           | accept s 5@110; trade s b 5@110 left 0; gone b filled 5+0;
                                | done s filled 5+0 | / a3@120
        A sell d 1@110 reduce   | reject reduce_only | / a3@120
        B buy t 3@120           | accept t 3@120; trade t a 3@120 left 0; gone a filled 3+0; done t filled 3+0 | /
        A buy e 4@100 reduce    | reject reduce_only | /
        A buy e 3@100 reduce    | accept e 3@100; rest e 3 | e3@100 /
        A amend e lots=4        | amend e 4@100 was 100; rest e 4 | e4@100 /
    """)


def test_closing_ends_every_order_after_the_mode_is_told(make: Any):
    Market(make, PLAIN).play("""
        A buy a 1@90        | accept a 1@90; rest a 1 | a1@90 /
        B buy b 1@91        | accept b 1@91; rest b 1 | b1@91 a1@90 /
        A sell c 1@110      | accept c 1@110; rest c 1 | b1@91 a1@90 / c1@110
        mode closed         | mode closed was online; gone b closed 0+1; gone a closed 0+1; gone c closed 0+1 | /
        A fund cash -1      | post A cash -1 | /
        mode closed         | mode closed was closed | /
        mode online         | mode online was closed | /
    """)


def test_modes_that_do_not_exist_are_refused(make: Any):
    market = Market(make, PLAIN)

    for number in (-1, 7, 2**40):
        event = market.book.apply_one(record(Kind.CONTROL, aux=number)[0])[0]
        assert (event["kind"], event["reason"]) == (EventKind.REJECTED, Reject.BAD_RECORD)
    assert market.book.mode == Mode.ONLINE


# ---- refusals: the first check that fails decides ------------------------------------------------------------------

STRICT = Setup(instrument(ladder_ticks=256, max_orders=2, min_lots=2, min_notional=300, max_lots=50), 4)
VALID: dict[str, int] = {"owner": 0, "side": int(Side.BUY), "price": 100, "lots": 4, "client_id": 1}
# In the order of the checks; each spoils a new order in one more way, and the earliest must win.
SPOILT: list[tuple[Reject, dict[str, int]]] = [
    (Reject.BAD_OWNER, {"owner": 9}),
    (Reject.BAD_RECORD, {"stp": 4}),
    (Reject.BAD_TIF, {"tif": 1}),
    (Reject.BAD_LOTS, {"lots": 0}),
    (Reject.MIN_LOTS, {"lots": 1}),
    (Reject.MAX_LOTS, {"lots": 51}),
    (Reject.BAD_DISPLAY, {"display": 1}),
    (Reject.BAD_TICK, {"price": 0}),
    (Reject.OUT_OF_LADDER, {"price": 256}),
    (Reject.MIN_NOTIONAL, {"price": 5}),
    (Reject.DUP_CLIENT_ID, {"client_id": 7}),
    (Reject.REDUCE_ONLY, {"flags": 8}),
    (Reject.NO_FUNDS, {"lots": 50}),
    (Reject.POOL_FULL, {}),
]


@pytest.mark.parametrize("at", range(len(SPOILT)), ids=[reason.name for reason, _ in SPOILT])
def test_the_first_check_that_fails_gives_the_reason(at: int, make: Any):
    market = Market(make, STRICT, cash=2_000, asset=0)
    market.play("""
        A buy a 4@100 id=7  | accept a 4@100; rest a 4 | a4@100 /
        B buy b 4@100       | accept b 4@100; rest b 4 | a4@100 b4@100 /
    """)
    wrong: dict[str, int] = {}
    for _, change in reversed(SPOILT[at:]):
        wrong |= change

    event = market.book.apply_one(record(Kind.NEW, **(VALID | wrong))[0])[0]

    assert (event["kind"], Reject(event["reason"])) == (EventKind.REJECTED, SPOILT[at][0])
    for name in ("side", "owner", "handle", "client_id", "price", "lots"):
        assert event[name] == (VALID | wrong).get(name, 0)
    assert market.shown() == "a4@100 b4@100 /"


def test_a_record_of_an_unknown_kind_is_refused_but_moves_time(make: Any):
    market = Market(make, PLAIN)
    unknown = np.zeros(1, INPUT)
    unknown["kind"], unknown["ts"] = 7, 40

    [event] = market.book.apply(unknown)

    assert (event["kind"], event["reason"], event["ts"]) == (EventKind.REJECTED, Reject.BAD_RECORD, 40)
    assert market.book.now == 40


def test_the_smallest_value_counts_the_limit_or_the_best_opposite_price(make: Any):
    setup = Setup(instrument(ladder_ticks=256, min_notional=300, cash_per_tick_lot=3), 4)
    Market(make, setup).play("""
        A sell a 1@99       | reject min_notional | /
        A sell a 1@100      | accept a 1@100; rest a 1 | / a1@100
        A sell b 9@101      | accept b 9@101; rest b 9 | / a1@100 b9@101
        B sell c 1@99 post  | reject min_notional | / a1@100 b9@101
        B buy s 1@market    | accept s 1@110; trade s a 1@100 left 0; gone a filled 1+0; done s filled 1+0 | / b9@101
        A amend b price=33  | amend b 9@33 was 101; rest b 9 | / b9@33
        A amend b lots=3    | reject min_notional | / b9@33
        A amend b price=11  | reject min_notional | / b9@33
        B buy t 3@market    | reject min_notional | / b9@33
    """)


def test_a_full_pool_refuses_even_an_order_that_would_free_a_slot(make: Any):
    setup = Setup(instrument(ladder_ticks=256, max_orders=2), 4)
    Market(make, setup).play("""
        A buy a 1@100       | accept a 1@100; rest a 1 | a1@100 /
        A buy b 1@99        | accept b 1@99; rest b 1 | a1@100 b1@99 /
        B sell s 1@100 ioc  | reject pool_full | a1@100 b1@99 /
        A amend b price=100 | amend b 1@100 was 99; rest b 1 | a1@100 b1@100 /
        A cancel a          | gone a user 0+1 | b1@100 /
        B sell t 1@100 ioc  | accept t 1@100; trade t b 1@100 left 0; gone b filled 1+0; done t filled 1+0 | /
        A buy c 1@98        | accept c 1@98; rest c 1 | c1@98 /
        A cancel #4294967298 | reject unknown_order | c1@98 /
        A cancel #8589934593 | gone c user 0+1 | /
    """)


# ---- the ladder from end to end ------------------------------------------------------------------------------------


def test_a_sweep_of_five_thousand_fills_takes_them_in_order(make: Any):
    setup = Setup(instrument(ladder_ticks=2**14, max_orders=6_000, max_lots=20_000), 2)
    book = setup.open(make)
    book.apply(deposits(2, cash=10**9, asset=10**6))
    asks = record(Kind.NEW, owner=0, side=Side.SELL, lots=2).repeat(5_000)
    asks["price"] = 10_000 - np.arange(5_000) % 1_000  # 1,000 levels of five, entered from the worst price
    assert (book.apply(asks)["kind"] == EventKind.RESTED).sum() == 5_000

    log = book.apply(record(Kind.NEW, owner=1, side=Side.BUY, lots=10_003, price=10_000))

    trades = log[log["kind"] == EventKind.TRADE]
    assert trades["price"].tolist() == np.repeat(np.arange(9_001, 10_001), 5).tolist()
    slots = (trades["maker_handle"] & 0xFFFFFFFF).reshape(1_000, 5)
    assert (np.diff(slots, axis=1) == 1_000).all()  # first come, first served, at each price
    assert trades["leaves"].tolist() == list(range(10_001, 2, -2))
    assert log["kind"].tolist() == [
        EventKind.ACCEPTED,
        *[EventKind.TRADE, EventKind.DONE] * 5_000,
        EventKind.RESTED,
    ]
    assert (book.best_bid, book.best_ask) == (10_000, 0)
    assert book.orders()["leaves"].tolist() == [3]


@pytest.mark.parametrize("ladder_ticks", [64, 2**12, 2**18, 2**20])
def test_touches_are_found_across_any_gap(ladder_ticks: int, make: Any):
    """Prices beside every boundary of the bitmaps (64, 64 x 64, 64 x 64 x 64) and at both ends of the ladder."""
    edges = [64**level * n for level in (1, 2, 3) for n in (1, 2, 3, 63)]
    near = {1, 2, ladder_ticks - 2, ladder_ticks - 1, *(edge + d for edge in edges for d in (-1, 0, 1))}
    prices = sorted(price for price in near if 0 < price < ladder_ticks)
    setup = Setup(instrument(ladder_ticks=ladder_ticks, max_orders=256), 1, may_borrow=True)
    for side, best_first in ((Side.BUY, prices[::-1]), (Side.SELL, prices)):
        book = setup.open(make)
        orders = record(Kind.NEW, side=side, lots=1).repeat(len(prices))
        orders["price"] = np.random.default_rng(0).permutation(prices)
        book.apply(orders)

        assert book.levels(side, 1_000)[:, 0].tolist() == best_first

        for price in best_first:
            assert (book.best_bid if side == Side.BUY else book.best_ask) == price
            book.apply(record(Kind.NEW, side=1 - side, lots=1, price=price, stp=Stp.NONE))
        assert (book.best_bid, book.best_ask) == (0, 0)


# ---- money ---------------------------------------------------------------------------------------------------------


def _fees(make: Any, *tiers: tuple[int, int, int], cash: int = 10_000, asset: int = 100, **rules: Any) -> Market:
    fee_tiers = tiers or ((0, 0, 0),)
    return Market(make, Setup(instrument(ladder_ticks=256, max_orders=16, **rules), 4, fee_tiers), cash, asset)


@pytest.mark.parametrize(
    ("price", "lots", "ppm", "fee"),
    [
        (100, 1, 4_999, 0),  # 0.4999
        (100, 1, 5_000, 1),  # 0.5 goes up
        (100, 1, 14_999, 1),  # 1.4999
        (100, 1, 15_000, 2),
        (100, 1, -4_999, 0),  # a rebate is rounded by its size
        (100, 1, -5_000, -1),
        (100, 1, -15_000, -2),
        (100, 7, 2_600, 2),  # 1.82
        (250, 4, 1_000_000, 1_000),  # everything
        (1, 1, 499_999, 0),
        (1, 1, 500_000, 1),
        (250, 1_000, 1_234, 309),  # 308.5
    ],
)
def test_fees_are_rounded_half_up_by_their_size(price: int, lots: int, ppm: int, fee: int, make: Any):
    market = _fees(make, (0, 0, ppm), cash=10**6, asset=1_000)

    market.send(f"A sell a {lots}@{price}")
    market.send(f"B buy s {lots}@{price}")

    assert market.account("B") == (10**6 - price * lots - fee, 0, 1_000 + lots, 0)
    assert market.account("A") == (10**6 + price * lots, 0, 1_000 - lots, 0)
    assert market.book.accounts()["cash_free"][4] == fee


def test_the_fee_of_a_large_fill_is_exact(make: Any):
    rules = {"max_lots": 2**31 - 1, "cash_per_tick_lot": 2**20}
    market = _fees(make, (0, 999_999, 333_333), cash=2**60 - 1, asset=2**31, **rules)
    notional = 255 * (2**31 - 1) * 2**20

    market.send(f"A sell a {2**31 - 1}@255")
    said = market.send(f"B buy s {2**31 - 1}@255")

    taker, maker = ((notional * ppm * 2 + 10**6) // (2 * 10**6) for ppm in (333_333, 999_999))
    assert f"fees {taker} {maker}" in said
    assert market.account("B")[0] == 2**60 - 1 - notional - taker


def test_a_buy_holds_notional_fee_and_rounding_and_gets_the_rest_back(make: Any):
    market = _fees(make, (0, 1_500, 2_500))

    market.send("A buy a 10@100")
    assert market.account("A") == (10_000 - 1_000 - 3 - 10, 1_013, 100, 0)  # 1,000 x 0.25 % = 2.5, rounded up; 10 lots

    market.send("B sell s 4@100")  # the maker's fee is 400 x 0.15 % = 0.6
    assert market.account("A") == (10_000 - 400 - 1 - 608, 608, 104, 0)  # 600 + 1.5 rounded up + 6
    assert market.account("B") == (10_000 + 400 - 1, 0, 96, 0)

    market.send("B sell t 6@99")
    assert market.account("A") == (10_000 - 1_000 - 1 - 1, 0, 110, 0)  # 600 x 0.15 % = 0.9
    assert market.book.accounts()["cash_free"][4] == 5  # 1 + 1 for A, 1 + 2 for B: 600 x 0.25 % = 1.5


def test_a_taker_keeps_its_price_improvement(make: Any):
    market = _fees(make)
    market.send("A sell a 5@100")

    market.send("B buy s 8@120")

    assert market.account("B") == (10_000 - 500 - 360, 360, 105, 0)


def test_one_unit_short_is_no_funds(make: Any):
    market = _fees(make, (0, 1_500, 2_500), cash=1_013, asset=5)

    assert market.send("A sell s 6@100") == "reject no_funds"
    assert market.send("A fund cash -1") == "post A cash -1"
    assert market.send("A buy a 10@100") == "reject no_funds"
    assert market.send("A fund cash 1") == "post A cash 1"
    assert market.send("A buy a 10@100") == "accept a 10@100; rest a 10"
    assert market.account("A") == (0, 1_013, 5, 0)
    assert market.send("A amend a lots=11") == "reject no_funds"
    assert market.send("A fund cash -1") == "reject no_funds"
    assert market.send("A cancel a") == "gone a user 0+10"
    assert market.account("A") == (1_013, 0, 5, 0)


def test_who_may_borrow_goes_below_zero(make: Any):
    setup = Setup(PLAIN.instrument, 2, may_borrow=(True, False))
    market = Market(make, setup, cash=0, asset=0)

    assert market.send("B buy b 1@100") == "reject no_funds"
    assert market.send("A buy a 1@100") == "accept a 1@100; rest a 1"
    assert market.account("A") == (-100, 100, 0, 0)
    assert market.send("A sell c 2@110") == "accept c 2@110; rest c 2"
    assert market.account("A") == (-100, 100, -2, 2)
    assert market.send("A fund asset -5") == "post A asset -5"
    assert market.send("B fund asset -5") == "reject no_funds"


def test_balances_stay_below_two_to_the_62(make: Any):
    setup = Setup(PLAIN.instrument, 3, may_borrow=(True, False, False))
    market = Market(make, setup, cash=0, asset=0)
    bound = 2**62

    assert market.send(f"B fund cash {bound}") == "reject bad_lots"
    assert market.send(f"B fund cash {-(2**63)}") == "reject no_funds"
    assert market.send(f"A fund cash {-(2**63)}") == "reject bad_lots"
    assert market.send(f"A fund cash {-bound}") == "reject bad_lots"
    assert market.send(f"B fund cash {bound - 1}") == f"post B cash {bound - 1}"
    assert market.send("B fund cash 1") == "reject bad_lots"
    assert market.send("C fund cash 1") == "reject bad_lots"  # the world would owe too much
    assert market.send(f"A fund cash {1 - bound}") == f"post A cash {1 - bound}"
    assert market.send("C fund cash 1") == "post C cash 1"
    assert market.send("A fund cash -1") == "reject bad_lots"


def test_who_may_borrow_cannot_owe_two_to_the_62(make: Any):
    rules = instrument(ladder_ticks=256, max_lots=2**31 - 1, cash_per_tick_lot=2**21)
    market = Market(make, Setup(rules, 2, ((0, 0, 1_000_000),), may_borrow=True), cash=0, asset=0)
    lots = 2**31 - 1
    hold = 2 * 255 * lots * 2**21 + lots

    for n in range(2**62 // hold):
        assert market.send(f"A buy a{n} {lots}@255") == f"accept a{n} {lots}@255; rest a{n} {lots}"
    assert market.send(f"A buy b {lots}@255") == "reject no_funds"
    assert -(2**62) < market.account("A")[0] < hold - 2**62
    assert market.send(f"A amend a0 lots={lots - 1}") == f"amend a0 {lots - 1}@255 was 255 kept"


def test_a_market_buy_holds_at_its_protection_price(make: Any):
    market = _fees(make, (0, 0, 10_000), cash=1_113)
    market.send("B sell a 10@100")

    assert market.send("A buy s 10@market") == "reject no_funds"  # 10 x 110, 11 for fees, 10 for rounding: 1,121
    market.send("A fund cash 8")
    said = market.send("A buy s 10@market")

    assert said == "accept s 10@110; trade s a 10@100 left 0 fees 10 0; gone a filled 10+0; done s filled 10+0"
    assert market.account("A") == (1_121 - 1_010, 0, 110, 0)


def test_a_tier_that_is_reached_in_a_sweep_counts_from_the_next_trade(make: Any):
    market = _fees(make, (0, 10_000, 20_000), (500, 0, 10_000), (1_000, -10_000, 0))
    market.play("""
        B sell b 3@100  | accept b 3@100; rest b 3      | / b3@100
        C sell c 2@100  | accept c 2@100; rest c 2      | / b3@100 c2@100
        B sell d 4@125  | accept d 4@125; rest d 4      | / b3@100 c2@100 d4@125
        C sell e 4@125  | accept e 4@125; rest e 4      | / b3@100 c2@100 d4@125 e4@125
        A buy s 12@125  | accept s 12@125; trade s b 3@100 left 9 fees 6 3; gone b filled 3+0;
                        | trade s c 2@100 left 7 fees 4 2; gone c filled 2+0;
                        | trade s d 4@125 left 3 fees 5 5; gone d filled 4+0;
                        | trade s e 3@125 left 0 fees 0 4; done s filled 12+0 | / e1@125
    """)

    rows = market.book.accounts()[["volume_30d", "maker_ppm", "taker_ppm"]].tolist()
    assert rows[:3] == [(1_375, -10_000, 0), (800, 0, 10_000), (575, 0, 10_000)]


def test_volume_is_forgotten_after_thirty_days_and_holds_follow(make: Any):
    day = 86_400 * 10**9
    market = _fees(make, (0, 10_000, 20_000), (500, 0, 0))
    market.send(f"t={day - 1} B sell b 5@100")
    market.send("A buy s 5@100")
    market.send(f"t={29 * day + day - 1} A buy a 1@100")
    assert market.account("A")[1] == 100  # no fee, so nothing more is held

    market.send(f"t={30 * day} A buy c 1@100")
    assert market.account("A")[1] == 100 + 100 + 2 + 1

    market.send("C sell t 2@100")
    rows = market.book.accounts()[["volume_30d", "maker_ppm", "taker_ppm"]].tolist()
    assert rows[0] == (200, 10_000, 20_000)


def test_nobody_pays_more_than_what_the_order_was_accepted_at(make: Any):
    market = _fees(make, (0, 10_000, 10_000), (200, 50_000, 50_000))
    market.play("""
        A buy a 1@100   | accept a 1@100; rest a 1      | a1@100 /
        A buy c 2@99    | accept c 2@99; rest c 2       | a1@100 c2@99 /
        A buy d 1@98    | accept d 1@98; rest d 1       | a1@100 c2@99 d1@98 /
        B sell s 4@98   | accept s 4@98; trade s a 1@100 left 3 fees 1 1; gone a filled 1+0;
                        | trade s c 2@99 left 1 fees 2 2; gone c filled 2+0;
                        | trade s d 1@98 left 0 fees 1 1; gone d filled 1+0; done s filled 4+0 | /
        A buy e 1@98    | accept e 1@98; rest e 1       | e1@98 /
        B sell t 1@98   | accept t 1@98; trade t e 1@98 left 0 fees 5 5; gone e filled 1+0; done t filled 1+0 | /
    """)


def test_an_amend_holds_at_the_present_rate(make: Any):
    market = _fees(make, (0, 10_000, 10_000), (100, 50_000, 50_000))
    market.send("A buy a 10@100")
    assert market.account("A")[1] == 1_000 + 10 + 10
    market.send("B sell s 1@100")

    market.send("A amend a lots=8")

    assert market.account("A")[1] == 700 + 35 + 7
    assert market.send("A amend a price=99") == "amend a 7@99 was 100; rest a 7"
    assert market.account("A")[1] == 693 + 35 + 7


def test_a_trade_with_oneself_costs_the_fees_only(make: Any):
    market = _fees(make, (0, 10_000, 20_000), (200, 0, 0))
    market.send("A sell a 1@100")

    said = market.send("A buy s 1@100 stp=none")

    assert said == "accept s 1@100; trade s a 1@100 left 0 fees 2 1; gone a filled 1+0; done s filled 1+0"
    assert market.account("A") == (10_000 - 3, 0, 100, 0)
    assert market.book.accounts()["volume_30d"][0] == 200


@pytest.mark.parametrize("ppm", [0, 1, 333_333, 1_000_000])
def test_many_small_fills_never_need_what_was_not_held(ppm: int, make: Any):
    """Each fill is rounded up on its own, with not a unit more in the account than what the order held."""
    market = _fees(make, (0, ppm, ppm), cash=0, asset=1_000)
    hold = 41 * 7 + -(-41 * 7 * ppm // 10**6) + (41 if ppm else 0)
    market.send(f"A fund cash {hold}")
    market.send("A buy a 41@7")
    assert market.account("A") == (0, hold, 1_000, 0)

    for n in range(41):
        market.send(f"B sell s{n} 1@7")
        free, held, _, _ = market.account("A")
        assert free >= 0
        assert held >= 0

    fees = 41 * ((7 * ppm + 500_000) // 10**6)
    assert market.account("A") == (hold - 41 * 7 - fees, 0, 1_041, 0)


def test_every_done_reason_and_reject_reason_is_in_these_pages(make: Any):
    words = {word for script in EVERY_CASE.values() for word in script.split()}
    named = {reason.name.lower() for reason in Reject} & words
    checked = named | {reason.name.lower() for reason, _ in SPOILT} | {"mode", "bad_clock"}

    assert {reason.name.lower() for reason in Reject} - checked == {"rate_limit"}
    assert {reason.name.lower() for reason in Done} - words == {"closed"}  # see `test_closing_ends_every_order…`

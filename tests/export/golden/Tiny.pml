/* Tiny: 2 pages, 2 messages in flight, host pages of 2. Made by postcopy export promela; see docs/exports.md.
 *
 *     spin -a -o1 -o2 FILE && gcc -O3 -DSAFETY -DNOREDUCE -o pan pan.c && ./pan -m1000000
 *
 * Sets of pages are numbers, page 0 the lowest bit. A channel is its slots, the oldest message first.
 */

/* Phase */
#define Phase_IDLE 0
#define Phase_BUSY 1
#define Phase_DONE 2
/* Letter */
#define Letter_EMPTY 0
#define Letter_PAGE 1
#define Letter_END 2

unsigned left_phase : 2;  /* how far it is */
bit left_eager;  /* sends before it is asked to */
unsigned left_todo : 2;  /* pages to send */
unsigned left_done : 2;  /* pages sent */
unsigned left_tries : 2;  /* how often it has begun (0 stands for -1) */
unsigned right_present : 2;  /* pages that are there */
unsigned right_waiting_0 : 2;  /* the page that the vCPU waits for (vCPU 0) */
unsigned history_old : 2;  /* pages written since they were sent */
unsigned Seen_pages : 2;  /* pages that were taken */
unsigned wire_0_kind : 2;  /* message 0 on wire */
unsigned wire_0_pages : 2;  /* pages of message 0 on wire */
bit wire_0_stale;  /* message 0 on wire is stale */
unsigned wire_1_kind : 2;  /* message 1 on wire */
unsigned wire_1_pages : 2;  /* pages of message 1 on wire */
bit wire_1_stale;  /* message 1 on wire is stale */

/* values from before a step, while it assigns: no part of the state */
hidden int old_left_todo;

/* never true: so that a failed assertion says which property is violated */
hidden byte a_number_leaves_its_range;
hidden byte disjoint;
hidden byte no_deadlock;
hidden byte taken_before;

proctype protocol() {
end:
    do
    :: d_step { ((left_phase == Phase_IDLE) && (left_tries < 2)) ->  /* left.begins */
        if :: (((3 & ~left_done) & left_todo) != 0) -> assert(disjoint) :: else fi;
        if :: !(((left_tries + 1) < 3) && !((left_tries + 1) < 0)) -> assert(a_number_leaves_its_range) :: else fi;
        left_tries = (left_tries + 1);
        left_phase = Phase_BUSY;
        old_left_todo = left_todo;
        left_todo = (3 & ~left_done);
        left_done = old_left_todo;
    }
    :: d_step { ((left_phase == Phase_BUSY) && ((left_todo & 1) != 0) && (wire_1_kind == Letter_EMPTY) && (((left_todo & (3 & ~(left_todo & (3 & ~1)))) != 0) || (((left_done | 1) & (3 & ~left_done)) != 0) || (wire_0_kind != ((wire_0_kind == Letter_EMPTY) -> Letter_PAGE : wire_0_kind)) || ((wire_0_pages & (3 & ~((wire_0_kind == Letter_EMPTY) -> 1 : wire_0_pages))) != 0) || ((((wire_0_kind == Letter_EMPTY) -> 1 : wire_0_pages) & (3 & ~wire_0_pages)) != 0) || (wire_0_stale != ((wire_0_kind == Letter_EMPTY) -> (((history_old & 1) == 0) -> 0 : 1) : wire_0_stale)) || (wire_1_kind != ((wire_0_kind == Letter_EMPTY) -> Letter_EMPTY : Letter_PAGE)) || ((wire_1_pages & (3 & ~((wire_0_kind == Letter_EMPTY) -> wire_1_pages : 1))) != 0) || ((((wire_0_kind == Letter_EMPTY) -> wire_1_pages : 1) & (3 & ~wire_1_pages)) != 0) || (wire_1_stale != ((wire_0_kind == Letter_EMPTY) -> wire_1_stale : (((history_old & 1) == 0) -> 0 : 1))))) ->  /* left.sends, page 0 */
        if :: ((left_todo & (3 & ~1) & (left_done | 1)) != 0) -> assert(disjoint) :: else fi;
        left_todo = (left_todo & (3 & ~1));
        left_done = (left_done | 1);
        wire_0_pages = ((wire_0_kind == Letter_EMPTY) -> 1 : wire_0_pages);
        wire_0_stale = ((wire_0_kind == Letter_EMPTY) -> (((history_old & 1) == 0) -> 0 : 1) : wire_0_stale);
        wire_1_kind = ((wire_0_kind == Letter_EMPTY) -> Letter_EMPTY : Letter_PAGE);
        wire_1_pages = ((wire_0_kind == Letter_EMPTY) -> wire_1_pages : 1);
        wire_1_stale = ((wire_0_kind == Letter_EMPTY) -> wire_1_stale : (((history_old & 1) == 0) -> 0 : 1));
        wire_0_kind = ((wire_0_kind == Letter_EMPTY) -> Letter_PAGE : wire_0_kind);
    }
    :: d_step { ((left_phase == Phase_BUSY) && ((left_todo & 2) != 0) && (wire_1_kind == Letter_EMPTY) && (((left_todo & (3 & ~(left_todo & (3 & ~2)))) != 0) || (((left_done | 2) & (3 & ~left_done)) != 0) || (wire_0_kind != ((wire_0_kind == Letter_EMPTY) -> Letter_PAGE : wire_0_kind)) || ((wire_0_pages & (3 & ~((wire_0_kind == Letter_EMPTY) -> 2 : wire_0_pages))) != 0) || ((((wire_0_kind == Letter_EMPTY) -> 2 : wire_0_pages) & (3 & ~wire_0_pages)) != 0) || (wire_0_stale != ((wire_0_kind == Letter_EMPTY) -> (((history_old & 2) == 0) -> 0 : 1) : wire_0_stale)) || (wire_1_kind != ((wire_0_kind == Letter_EMPTY) -> Letter_EMPTY : Letter_PAGE)) || ((wire_1_pages & (3 & ~((wire_0_kind == Letter_EMPTY) -> wire_1_pages : 2))) != 0) || ((((wire_0_kind == Letter_EMPTY) -> wire_1_pages : 2) & (3 & ~wire_1_pages)) != 0) || (wire_1_stale != ((wire_0_kind == Letter_EMPTY) -> wire_1_stale : (((history_old & 2) == 0) -> 0 : 1))))) ->  /* left.sends, page 1 */
        if :: ((left_todo & (3 & ~2) & (left_done | 2)) != 0) -> assert(disjoint) :: else fi;
        left_todo = (left_todo & (3 & ~2));
        left_done = (left_done | 2);
        wire_0_pages = ((wire_0_kind == Letter_EMPTY) -> 2 : wire_0_pages);
        wire_0_stale = ((wire_0_kind == Letter_EMPTY) -> (((history_old & 2) == 0) -> 0 : 1) : wire_0_stale);
        wire_1_kind = ((wire_0_kind == Letter_EMPTY) -> Letter_EMPTY : Letter_PAGE);
        wire_1_pages = ((wire_0_kind == Letter_EMPTY) -> wire_1_pages : 2);
        wire_1_stale = ((wire_0_kind == Letter_EMPTY) -> wire_1_stale : (((history_old & 2) == 0) -> 0 : 1));
        wire_0_kind = ((wire_0_kind == Letter_EMPTY) -> Letter_PAGE : wire_0_kind);
    }
    :: d_step { ((left_phase == Phase_BUSY) && (left_eager == 1) && (((left_todo & (3 & ~left_done)) != 0) || ((left_done & (3 & ~left_todo)) != 0))) ->  /* left.swaps */
        if :: ((left_done & left_todo) != 0) -> assert(disjoint) :: else fi;
        old_left_todo = left_todo;
        left_todo = left_done;
        left_done = old_left_todo;
    }
    :: d_step { (!(left_phase < Phase_BUSY) && (left_todo == 0) && (left_phase == Phase_BUSY) && (wire_1_kind == Letter_EMPTY)) ->  /* left.ends */
        if :: ((left_todo & left_done) != 0) -> assert(disjoint) :: else fi;
        wire_0_pages = ((wire_0_kind == Letter_EMPTY) -> 0 : wire_0_pages);
        wire_0_stale = ((wire_0_kind == Letter_EMPTY) -> 0 : wire_0_stale);
        wire_1_kind = ((wire_0_kind == Letter_EMPTY) -> Letter_EMPTY : Letter_END);
        wire_1_pages = ((wire_0_kind == Letter_EMPTY) -> wire_1_pages : 0);
        wire_1_stale = ((wire_0_kind == Letter_EMPTY) -> wire_1_stale : 0);
        wire_0_kind = ((wire_0_kind == Letter_EMPTY) -> Letter_END : wire_0_kind);
        left_phase = Phase_DONE;
    }
    :: d_step { ((wire_0_kind == Letter_PAGE) && ((wire_0_kind != wire_1_kind) || ((wire_0_pages & (3 & ~wire_1_pages)) != 0) || ((wire_1_pages & (3 & ~wire_0_pages)) != 0) || (wire_0_stale != wire_1_stale) || (wire_1_kind != Letter_EMPTY) || (wire_1_pages != 0) || (wire_1_stale != 0) || (((right_present | (((wire_0_pages | wire_0_pages >> 1) & 1) * 3)) & (3 & ~right_present)) != 0) || ((right_waiting_0 & (3 & ~(right_waiting_0 & (3 & ~wire_0_pages)))) != 0) || (((Seen_pages | ((right_present | (((wire_0_pages | wire_0_pages >> 1) & 1) * 3)) & (3 & ~right_present))) & (3 & ~Seen_pages)) != 0))) ->  /* right.takes */
        if :: ((left_todo & left_done) != 0) -> assert(disjoint) :: else fi;
        wire_0_kind = wire_1_kind;
        wire_0_stale = wire_1_stale;
        wire_1_kind = Letter_EMPTY;
        wire_1_stale = 0;
        right_waiting_0 = (right_waiting_0 & (3 & ~wire_0_pages));
        Seen_pages = (Seen_pages | ((right_present | (((wire_0_pages | wire_0_pages >> 1) & 1) * 3)) & (3 & ~right_present)));
        right_present = (right_present | (((wire_0_pages | wire_0_pages >> 1) & 1) * 3));
        wire_0_pages = wire_1_pages;
        wire_1_pages = 0;
    }
    :: d_step { ((wire_0_kind == Letter_END) && ((wire_0_kind != wire_1_kind) || ((wire_0_pages & (3 & ~wire_1_pages)) != 0) || ((wire_1_pages & (3 & ~wire_0_pages)) != 0) || (wire_0_stale != wire_1_stale) || (wire_1_kind != Letter_EMPTY) || (wire_1_pages != 0) || (wire_1_stale != 0))) ->  /* right.stops */
        if :: ((left_todo & left_done) != 0) -> assert(disjoint) :: else fi;
        wire_0_kind = wire_1_kind;
        wire_0_pages = wire_1_pages;
        wire_0_stale = wire_1_stale;
        wire_1_kind = Letter_EMPTY;
        wire_1_pages = 0;
        wire_1_stale = 0;
    }
    /* stuck */
    :: atomic { else -> if :: (left_phase == Phase_DONE) :: else -> assert(no_deadlock) fi }
    od
}

init {
    atomic {
        run protocol();
        if
        :: d_step { left_eager = 0 }
        :: d_step { left_eager = 1 }
        fi
    }
end:
    do
    :: d_step { ((right_present & (3 & ~Seen_pages)) != 0) -> assert(taken_before) }
    :: d_step { ((left_phase == Phase_BUSY) && ((left_todo & 1) != 0) && (wire_1_kind == Letter_EMPTY) && !(((left_todo & (3 & ~(left_todo & (3 & ~1)))) != 0) || (((left_done | 1) & (3 & ~left_done)) != 0) || (wire_0_kind != ((wire_0_kind == Letter_EMPTY) -> Letter_PAGE : wire_0_kind)) || ((wire_0_pages & (3 & ~((wire_0_kind == Letter_EMPTY) -> 1 : wire_0_pages))) != 0) || ((((wire_0_kind == Letter_EMPTY) -> 1 : wire_0_pages) & (3 & ~wire_0_pages)) != 0) || (wire_0_stale != ((wire_0_kind == Letter_EMPTY) -> (((history_old & 1) == 0) -> 0 : 1) : wire_0_stale)) || (wire_1_kind != ((wire_0_kind == Letter_EMPTY) -> Letter_EMPTY : Letter_PAGE)) || ((wire_1_pages & (3 & ~((wire_0_kind == Letter_EMPTY) -> wire_1_pages : 1))) != 0) || ((((wire_0_kind == Letter_EMPTY) -> wire_1_pages : 1) & (3 & ~wire_1_pages)) != 0) || (wire_1_stale != ((wire_0_kind == Letter_EMPTY) -> wire_1_stale : (((history_old & 1) == 0) -> 0 : 1))))) ->  /* left.sends, page 0 */
        if :: ((left_todo & (3 & ~1) & (left_done | 1)) != 0) -> assert(disjoint) :: else fi;
    }
    :: d_step { ((left_phase == Phase_BUSY) && ((left_todo & 2) != 0) && (wire_1_kind == Letter_EMPTY) && !(((left_todo & (3 & ~(left_todo & (3 & ~2)))) != 0) || (((left_done | 2) & (3 & ~left_done)) != 0) || (wire_0_kind != ((wire_0_kind == Letter_EMPTY) -> Letter_PAGE : wire_0_kind)) || ((wire_0_pages & (3 & ~((wire_0_kind == Letter_EMPTY) -> 2 : wire_0_pages))) != 0) || ((((wire_0_kind == Letter_EMPTY) -> 2 : wire_0_pages) & (3 & ~wire_0_pages)) != 0) || (wire_0_stale != ((wire_0_kind == Letter_EMPTY) -> (((history_old & 2) == 0) -> 0 : 1) : wire_0_stale)) || (wire_1_kind != ((wire_0_kind == Letter_EMPTY) -> Letter_EMPTY : Letter_PAGE)) || ((wire_1_pages & (3 & ~((wire_0_kind == Letter_EMPTY) -> wire_1_pages : 2))) != 0) || ((((wire_0_kind == Letter_EMPTY) -> wire_1_pages : 2) & (3 & ~wire_1_pages)) != 0) || (wire_1_stale != ((wire_0_kind == Letter_EMPTY) -> wire_1_stale : (((history_old & 2) == 0) -> 0 : 1))))) ->  /* left.sends, page 1 */
        if :: ((left_todo & (3 & ~2) & (left_done | 2)) != 0) -> assert(disjoint) :: else fi;
    }
    :: d_step { ((left_phase == Phase_BUSY) && (left_eager == 1) && !(((left_todo & (3 & ~left_done)) != 0) || ((left_done & (3 & ~left_todo)) != 0))) ->  /* left.swaps */
        if :: ((left_done & left_todo) != 0) -> assert(disjoint) :: else fi;
    }
    :: d_step { (!(left_phase < Phase_BUSY) && (left_todo == 0) && (left_phase != Phase_BUSY)) ->  /* left.ends */
        if :: ((left_todo & left_done) != 0) -> assert(disjoint) :: else fi;
    }
    :: d_step { (left_phase < Phase_DONE) ->  /* left.writes, page 0 */
        if :: ((left_todo & left_done) != 0) -> assert(disjoint) :: else fi;
        history_old = (history_old | 1);
        wire_0_stale = (((wire_0_kind == Letter_PAGE) && ((wire_0_pages & 1) != 0)) -> 1 : wire_0_stale);
        wire_1_stale = (((wire_1_kind == Letter_PAGE) && ((wire_1_pages & 1) != 0)) -> 1 : wire_1_stale);
    }
    :: d_step { (left_phase < Phase_DONE) ->  /* left.writes, page 1 */
        if :: ((left_todo & left_done) != 0) -> assert(disjoint) :: else fi;
        history_old = (history_old | 2);
        wire_0_stale = (((wire_0_kind == Letter_PAGE) && ((wire_0_pages & 2) != 0)) -> 1 : wire_0_stale);
        wire_1_stale = (((wire_1_kind == Letter_PAGE) && ((wire_1_pages & 2) != 0)) -> 1 : wire_1_stale);
    }
    :: d_step { ((wire_0_kind == Letter_PAGE) && !((wire_0_kind != wire_1_kind) || ((wire_0_pages & (3 & ~wire_1_pages)) != 0) || ((wire_1_pages & (3 & ~wire_0_pages)) != 0) || (wire_0_stale != wire_1_stale) || (wire_1_kind != Letter_EMPTY) || (wire_1_pages != 0) || (wire_1_stale != 0) || (((right_present | (((wire_0_pages | wire_0_pages >> 1) & 1) * 3)) & (3 & ~right_present)) != 0) || ((right_waiting_0 & (3 & ~(right_waiting_0 & (3 & ~wire_0_pages)))) != 0) || (((Seen_pages | ((right_present | (((wire_0_pages | wire_0_pages >> 1) & 1) * 3)) & (3 & ~right_present))) & (3 & ~Seen_pages)) != 0))) ->  /* right.takes */
        if :: ((left_todo & left_done) != 0) -> assert(disjoint) :: else fi;
    }
    :: d_step { ((wire_0_kind == Letter_END) && !((wire_0_kind != wire_1_kind) || ((wire_0_pages & (3 & ~wire_1_pages)) != 0) || ((wire_1_pages & (3 & ~wire_0_pages)) != 0) || (wire_0_stale != wire_1_stale) || (wire_1_kind != Letter_EMPTY) || (wire_1_pages != 0) || (wire_1_stale != 0))) ->  /* right.stops */
        if :: ((left_todo & left_done) != 0) -> assert(disjoint) :: else fi;
    }
    :: d_step { ((right_waiting_0 == 0) && ((right_present & 1) != 0)) ->  /* right.touches[0], page 0 */
        if :: ((left_todo & left_done) != 0) -> assert(disjoint) :: else fi;
    }
    :: d_step { ((right_waiting_0 == 0) && ((right_present & 1) == 0)) ->  /* right.touches[0], page 0 */
        if :: ((left_todo & left_done) != 0) -> assert(disjoint) :: else fi;
        right_waiting_0 = 1;
    }
    :: d_step { ((right_waiting_0 == 0) && ((right_present & 2) != 0)) ->  /* right.touches[0], page 1 */
        if :: ((left_todo & left_done) != 0) -> assert(disjoint) :: else fi;
    }
    :: d_step { ((right_waiting_0 == 0) && ((right_present & 2) == 0)) ->  /* right.touches[0], page 1 */
        if :: ((left_todo & left_done) != 0) -> assert(disjoint) :: else fi;
        right_waiting_0 = 2;
    }
    od
}

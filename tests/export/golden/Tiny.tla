------------------------------ MODULE Tiny ------------------------------
(*
  Tiny: 2 pages, 2 messages in flight, host pages of 2. Made by postcopy export tla; see docs/exports.md.

  java -cp tla2tools.jar tlc2.TLC -deadlock Tiny.tla     with Tiny.cfg:

    SPECIFICATION Spec
    CONSTANT Pages = {0, 1}
    INVARIANT TypeOK
    INVARIANT taken_before
    INVARIANT no_deadlock
*)
EXTENDS Integers, TLC

CONSTANT
    \* @type: Set(Int);
    Pages

VARIABLES
    \* @type: Str;
    left_phase,  \* how far it is
    \* @type: Bool;
    left_eager,  \* sends before it is asked to
    \* @type: Set(Int);
    left_todo,  \* pages to send
    \* @type: Set(Int);
    left_done,  \* pages sent
    \* @type: Int;
    left_tries,  \* how often it has begun (0 stands for -1)
    \* @type: Set(Int);
    right_present,  \* pages that are there
    \* @type: Set(Int);
    right_waiting_0,  \* the page that the vCPU waits for (vCPU 0)
    \* @type: Set(Int);
    history_old,  \* pages written since they were sent
    \* @type: Set(Int);
    Seen_pages,  \* pages that were taken
    \* @type: Str;
    wire_0_kind,  \* message 0 on wire
    \* @type: Set(Int);
    wire_0_pages,  \* pages of message 0 on wire
    \* @type: Bool;
    wire_0_stale,  \* message 0 on wire is stale
    \* @type: Str;
    wire_1_kind,  \* message 1 on wire
    \* @type: Set(Int);
    wire_1_pages,  \* pages of message 1 on wire
    \* @type: Bool;
    wire_1_stale  \* message 1 on wire is stale

left_vars == <<left_phase, left_eager, left_todo, left_done, left_tries>>
right_vars == <<right_present, right_waiting_0>>
history_vars == <<history_old>>
Seen_vars == <<Seen_pages>>
wire_vars == <<wire_0_kind, wire_0_pages, wire_0_stale, wire_1_kind, wire_1_pages, wire_1_stale>>
vars == <<left_vars, right_vars, history_vars, Seen_vars, wire_vars>>

Nothing == ""  \* in a slot of a channel without a message
Host(set) == {q \in Pages : \E p \in set : p \div 2 = q \div 2}

TypeOK ==
    /\ left_phase \in {"IDLE", "BUSY", "DONE"}
    /\ left_eager \in BOOLEAN
    /\ left_todo \in SUBSET Pages
    /\ left_done \in SUBSET Pages
    /\ left_tries \in 0..2
    /\ right_present \in SUBSET Pages
    /\ right_waiting_0 \in SUBSET Pages
    /\ history_old \in SUBSET Pages
    /\ Seen_pages \in SUBSET Pages
    /\ wire_0_kind \in {Nothing, "PAGE", "END"}
    /\ wire_0_pages \in SUBSET Pages
    /\ wire_0_stale \in BOOLEAN
    /\ wire_1_kind \in {Nothing, "PAGE", "END"}
    /\ wire_1_pages \in SUBSET Pages
    /\ wire_1_stale \in BOOLEAN

Init ==
    /\ left_phase = "IDLE"
    /\ left_eager \in BOOLEAN
    /\ left_todo = {}
    /\ left_done = {}
    /\ left_tries = 0
    /\ right_present = {}
    /\ right_waiting_0 = {}
    /\ history_old = {}
    /\ Seen_pages = {}
    /\ wire_0_kind = Nothing
    /\ wire_0_pages = {}
    /\ wire_0_stale = FALSE
    /\ wire_1_kind = Nothing
    /\ wire_1_pages = {}
    /\ wire_1_stale = FALSE

\* worker: takes all that is done for what is to do, and the reverse (R1)
left_begins ==
    /\ left_phase = "IDLE"
    /\ left_tries < 2
    /\ Assert(left_todo \subseteq left_done, "disjoint")
    /\ Assert(((left_tries + 1) < 3) /\ ~((left_tries + 1) < 0), "left.tries leaves its range -1 to 1")
    /\ left_tries' = left_tries + 1
    /\ left_phase' = "BUSY"
    /\ left_todo' = Pages \ left_done
    /\ left_done' = left_todo
    /\ UNCHANGED <<left_eager, right_vars, history_old, Seen_pages, wire_vars>>

\* worker: sends a page
left_sends(page) ==
    /\ left_phase = "BUSY"
    /\ page \in left_todo
    /\ wire_1_kind = Nothing
    /\ Assert((left_todo \cap (left_done \cup {page})) \subseteq {page}, "disjoint")
    /\ left_todo' = left_todo \ {page}
    /\ left_done' = left_done \cup {page}
    /\ wire_0_kind' = IF (wire_0_kind = Nothing) THEN "PAGE" ELSE wire_0_kind
    /\ wire_0_pages' = IF (wire_0_kind = Nothing) THEN {page} ELSE wire_0_pages
    /\ wire_0_stale' = (IF (wire_0_kind = Nothing) THEN (page \in history_old) ELSE wire_0_stale)
    /\ wire_1_kind' = IF (wire_0_kind = Nothing) THEN Nothing ELSE "PAGE"
    /\ wire_1_pages' = IF (wire_0_kind = Nothing) THEN wire_1_pages ELSE {page}
    /\ wire_1_stale' = (IF (wire_0_kind = Nothing) THEN wire_1_stale ELSE (page \in history_old))
    /\ UNCHANGED <<left_phase, left_eager, left_tries, right_vars, history_old, Seen_pages>>

\* worker: exchanges what is to do for what is done
left_swaps ==
    /\ left_phase = "BUSY"
    /\ left_eager
    /\ Assert((left_done \cap left_todo) = {}, "disjoint")
    /\ left_todo' = left_done
    /\ left_done' = left_todo
    /\ UNCHANGED <<left_phase, left_eager, left_tries, right_vars, history_old, Seen_pages, wire_vars>>

\* worker: says that all is sent
left_ends ==
    \/ /\ left_phase # "IDLE"
       /\ left_todo = {}
       /\ left_phase = "BUSY"
       /\ wire_1_kind = Nothing
       /\ Assert((left_todo \cap left_done) = {}, "disjoint")
       /\ wire_0_kind' = IF (wire_0_kind = Nothing) THEN "END" ELSE wire_0_kind
       /\ wire_0_pages' = IF (wire_0_kind = Nothing) THEN {} ELSE wire_0_pages
       /\ wire_0_stale' = (IF (wire_0_kind = Nothing) THEN FALSE ELSE wire_0_stale)
       /\ wire_1_kind' = IF (wire_0_kind = Nothing) THEN Nothing ELSE "END"
       /\ wire_1_pages' = IF (wire_0_kind = Nothing) THEN wire_1_pages ELSE {}
       /\ wire_1_stale' = (IF (wire_0_kind = Nothing) THEN wire_1_stale ELSE FALSE)
       /\ left_phase' = "DONE"
       /\ UNCHANGED <<left_eager, left_todo, left_done, left_tries, right_vars, history_old, Seen_pages>>
    \/ /\ left_phase # "IDLE"
       /\ left_todo = {}
       /\ left_phase # "BUSY"
       /\ Assert((left_todo \cap left_done) = {}, "disjoint")
       /\ UNCHANGED vars

\* guest: writes a page
left_writes(page) ==
    /\ left_phase # "DONE"
    /\ Assert((left_todo \cap left_done) = {}, "disjoint")
    /\ history_old' = history_old \cup {page}
    /\ wire_0_stale' = (((wire_0_kind = "PAGE") /\ (page \in wire_0_pages)) \/ wire_0_stale)
    /\ wire_1_stale' = (((wire_1_kind = "PAGE") /\ (page \in wire_1_pages)) \/ wire_1_stale)
    /\ UNCHANGED <<left_vars, right_vars, Seen_pages, wire_0_kind, wire_0_pages, wire_1_kind, wire_1_pages>>

\* reader: takes a page and wakes who waits for it
right_takes ==
    /\ wire_0_kind = "PAGE"
    /\ Assert((left_todo \cap left_done) = {}, "disjoint")
    /\ wire_0_kind' = wire_1_kind
    /\ wire_0_pages' = wire_1_pages
    /\ wire_0_stale' = wire_1_stale
    /\ wire_1_kind' = Nothing
    /\ wire_1_pages' = {}
    /\ wire_1_stale' = FALSE
    /\ right_present' = right_present \cup Host(wire_0_pages)
    /\ right_waiting_0' = right_waiting_0 \ wire_0_pages
    /\ Seen_pages' = Seen_pages \cup ((right_present \cup Host(wire_0_pages)) \ right_present)
    /\ UNCHANGED <<left_vars, history_old>>

\* reader: reads the end
right_stops ==
    /\ wire_0_kind = "END"
    /\ Assert((left_todo \cap left_done) = {}, "disjoint")
    /\ wire_0_kind' = wire_1_kind
    /\ wire_0_pages' = wire_1_pages
    /\ wire_0_stale' = wire_1_stale
    /\ wire_1_kind' = Nothing
    /\ wire_1_pages' = {}
    /\ wire_1_stale' = FALSE
    /\ UNCHANGED <<left_vars, right_vars, history_old, Seen_pages>>

\* vCPU 0: touches a page
right_touches_0(page) ==
    \/ /\ right_waiting_0 = {}
       /\ page \in right_present
       /\ Assert((left_todo \cap left_done) = {}, "disjoint")
       /\ UNCHANGED vars
    \/ /\ right_waiting_0 = {}
       /\ page \notin right_present
       /\ Assert((left_todo \cap left_done) = {}, "disjoint")
       /\ right_waiting_0' = {page}
       /\ UNCHANGED <<left_vars, right_present, history_old, Seen_pages, wire_vars>>

\* what threads do; a deadlock is where none of it can change anything, and something has yet to happen
Progress ==
    \/ left_begins
    \/ \E page \in Pages : left_sends(page)
    \/ left_swaps
    \/ left_ends
    \/ right_takes
    \/ right_stops

\* and the steps of the environment, which may never be taken
Next ==
    \/ Progress
    \/ \E page \in Pages : left_writes(page)
    \/ \E page \in Pages : right_touches_0(page)

Spec == Init /\ [][Next]_vars

\* What is there has been taken
taken_before ==
    right_present \subseteq Seen_pages

\* A page is there
\* (a witness: some state has to be so; ~arrives is no invariant)
arrives ==
    right_present # {}

Rests ==
    left_phase = "DONE"

\* Whatever still has to happen, some thread can move
no_deadlock == Rests \/ ENABLED <<Progress>>_vars

=========================================================================

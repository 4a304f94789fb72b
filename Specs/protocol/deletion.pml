/*
 * How snapshots are committed and packs are deleted in a repository that many clients use at once, without clocks and without locks that expire.
 * The rules and their numbers are those of ../ordering.md; README.md beside this file tells what is checked and how to run it.
 *
 * One step is one storage operation, and processes interleave in every way. A client may stop for ever, or for as long as it likes, before each of its
 * steps: what was done up to there is a run of its own, and everything is asserted after each step.
 */

/* The size of the world. */
#ifndef WRITERS
#define WRITERS 2
#endif
#ifndef PRUNERS
#define PRUNERS 2
#endif
#ifndef MERGERS          /* of index objects: 0 or 1 */
#define MERGERS 0
#endif
#ifndef REPACK           /* whether pruners copy what lives into a new pack */
#define REPACK 0
#endif
#ifndef UNDELETE         /* whether somebody who forgot a snapshot may think better of it */
#define UNDELETE 0
#endif
#ifndef ENDING           /* whether clients are killed, replies are lost, and a last prune must leave nothing behind */
#define ENDING 0
#endif
#ifndef BAD              /* which rule is broken, see README.md; 0: none */
#define BAD 0
#endif

/* Sets are bytes. Chunks: bits 0 to 2. Packs: 0 is there at first, 1 and 2 are the writers', 3 and 4 the repackers'.
   Index objects likewise, and 5 is the merged one. Snapshots and sessions: 0 is there at first, 1 and 2 are the writers'. */
#define BIT(n)      (1 << (n))
#define HAS(set, n) ((set) & BIT(n))
#define EMPTY 0
#define MANIFEST 1
#define ABORTED 2
#define FORGOTTEN 1
#define FINAL 2

byte packs = 1;          /* that exist */
byte content[5];         /* chunks of each pack */
#if MERGERS
byte index = 1;          /* index objects that exist */
byte names[6];           /* packs that each names */
#else
byte indexed = 1;        /* packs that an index object names: none is ever removed */
#endif
byte sessions;
byte slot[4];            /* EMPTY, MANIFEST, ABORTED */
byte need[4];            /* chunks of each snapshot */
byte mark[4];
byte open;               /* condemned lists that exist */
byte listed[2];          /* packs that each condemns */
byte verdicts;           /* that exist */
byte spared[2];
byte works[2];           /* which list each pruner works on: 0 none */
byte begun;              /* pruners that did */
byte ended;              /* processes that will do nothing more */

#define IF(set, n, value) (HAS(set, n) -> (value) : 0)
#define CHUNKS(set) (IF(set, 0, content[0]) | IF(set, 1, content[1]) | IF(set, 2, content[2]) | IF(set, 3, content[3]) | IF(set, 4, content[4]))
#define CONDEMNED(set) (IF(set, 0, listed[0]) | IF(set, 1, listed[1]))
#if MERGERS
#define INDEXED (IF(index, 0, names[0]) | IF(index, 1, names[1]) | IF(index, 2, names[2]) | IF(index, 3, names[3]) | IF(index, 4, names[4]) | IF(index, 5, names[5]))
#define ADD_INDEX(n, set) names[n] = set; index = index | BIT(n)
#else
#define INDEXED indexed
#define ADD_INDEX(n, set) indexed = indexed | (set)
#endif
#define ROOT(s) (slot[s] == MANIFEST && mark[s] != FINAL -> need[s] : 0)
#define LIVE    (ROOT(0) | ROOT(1) | ROOT(2))

/* No committed snapshot refers to something that is gone, or that no reader finds. */
#define SAFE assert((LIVE & ~CHUNKS(packs & INDEXED)) == 0)

#if ENDING
#define OTHERS (WRITERS + PRUNERS + MERGERS + UNDELETE)
#define MAY_DIE if :: true :: ended < OTHERS -> goto dead fi;       /* not the last prune */
#else
#define MAY_DIE
#endif

/* What a pack that is gone held does not matter; all runs that differ in nothing else are one. */
#if BAD == 1 || BAD == 2
#define DELETE(set) packs = packs & ~(set)
#else
#define DELETE(set) packs = packs & ~(set); if :: packs & 1 :: else -> content[0] = 0 fi; if :: packs & 2 :: else -> content[1] = 0 fi; \
  if :: packs & 4 :: else -> content[2] = 0 fi; if :: packs & 8 :: else -> content[3] = 0 fi; if :: packs & 16 :: else -> content[4] = 0 fi
#endif

proctype Writer(byte w) {
  byte want, condemned, named, usable, store;
  bool lost;
#if BAD == 2
  atomic { usable = INDEXED }                                       /* from its cache, of an earlier run */
#endif
  atomic {
    (w == 1 || WRITERS == 1 || (sessions | slot[1]));               /* writers are alike: the first begins first */
    if :: want = 2 :: want = 4 :: want = 6 fi;                      /* in a pack that nothing else needs; in none; both */
    sessions = sessions | BIT(w)                                    /* 3 */
  }
#if BAD == 1
  atomic { named = INDEXED }
  atomic { usable = packs }
  atomic { usable = usable & ~CONDEMNED(open) }
#elif BAD == 2
  atomic { usable = usable & ~CONDEMNED(open); named = usable }
#elif BAD == 14
  atomic { named = INDEXED }
  atomic { usable = packs }
#else
  atomic { MAY_DIE condemned = CONDEMNED(open) }
  atomic { MAY_DIE named = INDEXED }
  atomic { MAY_DIE usable = packs & ~condemned }                    /* 4 */
#endif
  atomic { store = want & ~CHUNKS(usable); named = usable & ~named; usable = 0; condemned = 0 }   /* packs without an index object are adopted */
  if
  :: store -> atomic { MAY_DIE content[w] = store; packs = packs | BIT(w); named = named | BIT(w); store = 0 }   /* 5 */
  :: else
  fi;
  if
  :: named -> atomic { MAY_DIE ADD_INDEX(w, named); named = 0 }     /* 6 */
  :: else
  fi;
commit:
  atomic {                                                          /* 7 */
    MAY_DIE
    if
    :: slot[w] == EMPTY -> need[w] = want; slot[w] = MANIFEST; SAFE
    :: slot[w] == MANIFEST -> assert(lost)                          /* compared by digest: our own */
#if BAD != 17
    :: slot[w] == ABORTED -> assert(!lost); goto dead               /* it ends, and knows why */
#else
    :: slot[w] == ABORTED
#endif
    fi;
#if ENDING
    if :: !lost -> lost = true; goto commit :: true fi;             /* the reply was lost: the same again */
    MAY_DIE
#endif
    assert(slot[w] == MANIFEST);                                    /* the user is told that there is a snapshot */
    sessions = sessions & ~BIT(w);                                  /* 8 */
#if BAD == 16
    if :: DELETE(BIT(w)); SAFE :: true fi                           /* the power fails, and the pack was not durable yet */
#endif
  }
dead:
  atomic { want = 0; condemned = 0; named = 0; usable = 0; store = 0; lost = false; ended++ }
}

/* From the listing of sessions on, whoever made the list. */
inline work_on_list() {
#if BAD != 9 && BAD != 14 && BAD != 15
  atomic { MAY_DIE running = sessions }
#endif
#if BAD != 14 && BAD != 15
  do
  :: running ->
    atomic {
      MAY_DIE
      n = (HAS(running, 1) -> 1 : 2);
      if :: slot[n] == EMPTY -> slot[n] = ABORTED :: else fi;
      sessions = sessions & ~BIT(n); running = running & ~BIT(n); n = 0
    }
  :: else -> break
  od;
#endif
#if BAD != 7
  atomic { MAY_DIE others = CONDEMNED(open & ~BIT(list)) }          /* 11 */
#endif
#if BAD == 4
  atomic { live = (mark[0] == 0 -> need[0] : 0) | ROOT(1) | ROOT(2) }
#else
  atomic { MAY_DIE if :: mark[0] == FORGOTTEN -> mark[0] = FINAL :: true fi }
#if BAD != 10
  atomic { MAY_DIE live = LIVE }
#endif
#endif
  atomic { MAY_DIE named = INDEXED }
  atomic {                                                          /* 12 */
    MAY_DIE
    seen = packs;
    named = named & seen & ~others & ~listed[list];
    live = live & ~CHUNKS(named);
    named = 0; others = 0;
    /* A slow pruner may still hold for live what another has let go since: it stops, and the next one goes on. */
    if :: live & ~CHUNKS(seen) -> goto dead :: else fi;
    n = 0;
    do
    :: n < 5 -> if :: HAS(listed[list] & seen, n) && (content[n] & live) -> spare = spare | BIT(n) :: else fi; n++
    :: else -> break
    od;
    n = 0; live = 0; seen = 0
  }
#if BAD != 5
  atomic {                                                          /* 13 */
    MAY_DIE
    if
    :: HAS(verdicts, list) -> spare = spared[list]
    :: else -> spared[list] = spare; verdicts = verdicts | BIT(list)
    fi
  }
#endif
#if BAD == 4
  atomic { if :: mark[0] == FORGOTTEN -> mark[0] = FINAL :: true fi }
#endif
#if BAD == 11
  atomic { open = open & ~BIT(list) }
#endif
  do                                                                /* 14 */
  :: listed[list] & ~spare & packs ->
    atomic {
      MAY_DIE
      n = listed[list] & ~spare & packs;
      n = n & (256 - n);                                            /* one after another, in order */
      DELETE(n); n = 0; SAFE
    }
  :: else -> break
  od;
  atomic {
    MAY_DIE
    open = open & ~BIT(list);
#if BAD == 6
    verdicts = verdicts & ~BIT(list);
#endif
#if BAD == 8
    if :: slot[1] == ABORTED -> slot[1] = EMPTY :: else fi; if :: slot[2] == ABORTED -> slot[2] = EMPTY :: else fi;
#endif
    spare = 0
  }
}

proctype Pruner(byte p) {
  byte list, others, running, live, named, seen, spare, n;
#if BAD == 13
  atomic { named = INDEXED }
  atomic { n = packs & ~named; DELETE(n); SAFE; named = 0; n = 0 }
#endif
end_idle:
  if
  :: HAS(open, 1 - p) -> atomic { list = 1 - p; works[p] = list + 1; begun = begun | BIT(p) }   /* 15 */
  :: (p == 0 || begun) ->                                           /* pruners are alike: the first begins first */
    /* 10. Whatever a plan chooses: any packs that exist. */
    atomic {
      MAY_DIE
      begun = begun | BIT(p); list = p; works[p] = list + 1;
      seen = packs;
      do
      :: n < 5 && HAS(packs, n) -> n++                              /* on the list */
      :: n < 5 -> seen = seen & ~BIT(n); n++                        /* not on it */
      :: n == 5 -> break
      od;
      n = 0;
      if
      :: seen == 0 -> goto dead
#if REPACK
      :: seen -> content[3 + p] = CHUNKS(seen); packs = packs | BIT(3 + p); n = 1
#endif
#if BAD == 9 || BAD == 10
      :: seen
#else
      :: seen -> listed[p] = seen; open = open | BIT(p); seen = 0
#endif
      fi
    }
#if REPACK
    if
    :: n -> atomic { MAY_DIE ADD_INDEX(3 + p, BIT(3 + p)); n = 0 }
    :: else
    fi;
#endif
#if BAD == 10
    atomic { live = LIVE }
#endif
#if BAD == 9
    atomic { running = sessions }
#endif
    if
    :: seen -> atomic { MAY_DIE listed[p] = seen; open = open | BIT(p); seen = 0 }
    :: else
    fi
  fi;
  work_on_list();
dead:
  atomic {
    begun = begun | BIT(p); works[p] = 0; list = 0; others = 0; running = 0; live = 0; named = 0; seen = 0; spare = 0; n = 0; ended++;
    /* A list that is closed and that nobody works on is past. */
    if :: !HAS(open, 0) && works[0] != 1 && works[1] != 1 -> listed[0] = 0; spared[0] = 0 :: else fi;
    if :: !HAS(open, 1) && works[0] != 2 && works[1] != 2 -> listed[1] = 0; spared[1] = 0 :: else fi
  }
}

#if MERGERS
proctype Merger() {
  byte inputs, output, seen;
#if BAD == 12
  atomic { seen = packs }
#endif
  atomic { MAY_DIE inputs = index; output = INDEXED }               /* 16 */
#if BAD != 12
  atomic { MAY_DIE seen = packs }
#endif
  atomic { MAY_DIE names[5] = output & seen; index = index | BIT(5); output = 0; seen = 0; SAFE }
#if BAD == 3
  atomic { inputs = index & ~BIT(5) }
#endif
  do
  :: inputs ->
    atomic {
      MAY_DIE
      seen = inputs & (256 - inputs);
      index = index & ~seen; inputs = inputs & ~seen; seen = 0; SAFE
    }
  :: else -> break
  od;
dead:
  atomic { inputs = 0; output = 0; seen = 0; ended++ }
}
#endif

#if UNDELETE
proctype User() {
  atomic {                                                          /* 2: the next number of the chain, or somebody else had it */
    if
    :: mark[0] == FORGOTTEN -> mark[0] = 0; SAFE
    :: mark[0] == FINAL                                             /* too late, and told so */
    fi;
    ended++
  }
}
#endif

#if ENDING
/* When all have stopped: the next maintainer works on what they left, then on all packs that are there. */
proctype Last() {
  byte list, others, running, live, named, seen, spare, n;
  (ended == OTHERS);
  do
  :: HAS(open, 0) -> list = 0; work_on_list()
  :: HAS(open, 1) -> list = 1; work_on_list()
  :: else -> break
  od;
  /* A new list. */
#if BAD == 18
  atomic { list = 0; open = 1; listed[0] = packs & INDEXED; verdicts = 0; spared[0] = 0 }
#else
  atomic { list = 0; open = 1; listed[0] = packs; verdicts = 0; spared[0] = 0 }
#endif
  work_on_list();
  assert(open == 0 && sessions == 0);
  /* What is left holds something that lives. */
  n = 0;
  do
  :: n < 5 -> assert(!HAS(packs, n) || (content[n] & LIVE)); n++
  :: else -> break
  od;
  SAFE;
dead:
  assert(n == 5)                                                    /* it was not stopped */
}
#endif

init {
  atomic {
    content[0] = 3; slot[0] = MANIFEST; need[0] = 1; mark[0] = FORGOTTEN;
#if MERGERS
    names[0] = 1;
#endif
    run Writer(1);
#if WRITERS > 1
    run Writer(2);
#endif
    run Pruner(0);
#if PRUNERS > 1
    run Pruner(1);
#endif
#if MERGERS
    run Merger();
#endif
#if UNDELETE
    run User();
#endif
#if ENDING
    run Last();
#endif
  }
}

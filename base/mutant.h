/*
 * base/mutant.h -- planted bugs, to show that the oracles of the simulator see them (docs/protocol/mutants.md).
 *
 * A normal build has MUTANT undefined: MUTANT_IS(k) is the constant 0 and the planted code is not there.
 * -DMUTANT=4 builds planted bug 4; -DMUTANT=mutant_chosen builds all of them and lets the simulator choose.
 */
#ifndef BASE_MUTANT_H
#define BASE_MUTANT_H

#ifdef MUTANT
extern int mutant_chosen; /* defined in tests/sim */
#define MUTANT_IS(k) (MUTANT == (k))
#else
#define MUTANT_IS(k) ((k) < 0) /* never: numbers begin at 1 */
#endif

#endif /* BASE_MUTANT_H */

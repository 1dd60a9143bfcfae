// Included first by every unit of a copy of the engine with faults: PLANTED(n) holds if the environment variable
// RSMOE_PLANTED is n. So one compilation serves all faults.
#pragma once
extern "C" int rsmoe_planted;
#define PLANTED(number) (rsmoe_planted == (number))

/*
 * What is offered for completion: commands, and what the target has at this moment. Nothing is
 * printed, whatever state the target is in: damaged objects are left out. It ends after a second,
 * with what was found until then.
 */
#pragma once

#include "debugshell/complete.h"
#include "debugshell/shell.h"

// Says on stderr what there is to say of the target's types, so that complete_find() need not.
void complete_find_prepare(struct shell *sh);

// Finds what may stand at the cursor, sorted.
void complete_find(struct shell *sh, struct complete *c);

/* Ctrl-C as a wish that is read between steps; a second one, not yet read, leaves at once. */
#ifndef LCAL_TOOLS_INTERRUPT_H
#define LCAL_TOOLS_INTERRUPT_H

#include <stdbool.h>

void interrupt_catch(void);

/* Whether a call that waits is broken off too: reading from a terminal should be, writing not. Not
 * before interrupt_catch. */
void interrupt_breaks_waiting(bool breaks);

/* Whether it was pressed since the last interrupt_clear. */
bool interrupt_wanted(void);
void interrupt_clear(void);

#endif

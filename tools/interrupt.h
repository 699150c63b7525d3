/* Ctrl-C as a wish that is read between steps; a second one, not yet read, leaves at once. */
#ifndef LCAL_TOOLS_INTERRUPT_H
#define LCAL_TOOLS_INTERRUPT_H

#include <stdbool.h>

/* Reading from a terminal is interrupted too. */
void interrupt_catch(void);

/* Whether it was pressed since the last interrupt_clear. */
bool interrupt_wanted(void);
void interrupt_clear(void);

#endif

/* A conversation line by line: standard input to a model, its answers to standard output. */
#ifndef LCAL_TOOLS_CHAT_LOOP_H
#define LCAL_TOOLS_CHAT_LOOP_H

#include "lcal/generate.h"

/*
 * Reads lines to the end or /exit; /reset begins anew. On a terminal a prompt is shown, Ctrl-C ends
 * an answer, and what the model refuses is no end. json: one object an answer. Returns the exit
 * status.
 */
int chat_loop(lcal_model *model, const lcal_generate_options *options, bool json);

#endif

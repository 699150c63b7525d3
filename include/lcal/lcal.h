/* Everything of lcal's public API. */
#ifndef LCAL_LCAL_H
#define LCAL_LCAL_H

#include "lcal/bench.h"
#include "lcal/config.h"
#include "lcal/convert.h"
#include "lcal/evaluate.h"
#include "lcal/export.h"
#include "lcal/file.h"
#include "lcal/generate.h"
#include "lcal/inspect.h"
#include "lcal/log.h"
#include "lcal/merge.h"
#include "lcal/model.h"
#include "lcal/prompts.h"
#include "lcal/preview.h"
#include "lcal/score.h"
#include "lcal/status.h"
#include "lcal/table.h"
#include "lcal/tokenizer.h"
#include "lcal/train.h"
#include "lcal/verify.h"
#include "lcal/version.h"

#endif

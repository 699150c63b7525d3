#include "lcal/version.h"

const char *lcal_version(void)
{
    return LCAL_VERSION;
}

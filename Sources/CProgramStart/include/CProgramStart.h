// Nothing to call: what it does is done before the program begins.
#pragma once

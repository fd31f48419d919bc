/* NVML for machines that nobody has at hand: the functions that kfgit calls, with NVIDIA's signatures (nvml.h).

   FAKE_NVML has a letter for each GPU: `w` a whole one, `o` one of before MIG, `l` one that was lost, `u` one that
   shares its memory with the processor, `1` to `7` one in MIG mode with so many instances, every other index between
   them unused. Without it no driver is loaded; `!` is a driver of another version. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OK = 0, UNINITIALIZED = 1, INVALID = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, TOO_SMALL = 7, NO_DRIVER = 9,
       LOST = 15, MISMATCH = 18 };

struct device { int gpu, instance; };
static struct device devices[16 * 16];
static int users = 0;

static const char *gpus(void) { const char *told = getenv("FAKE_NVML"); return told ? told : ""; }
static char sort(struct device *device) { return gpus()[device->gpu]; }
static int in_mig_mode(struct device *device) { return sort(device) >= '1' && sort(device) <= '7'; }

static int copied(char *to, unsigned size, const char *text) {
    if (strlen(text) + 1 > size) return TOO_SMALL;
    strcpy(to, text);
    return OK;
}

int nvmlInitWithFlags(unsigned flags) {
    if (!*gpus()) return NO_DRIVER;
    if (*gpus() == '!') return MISMATCH;
    users++;
    return flags ? INVALID : OK;
}

int nvmlShutdown(void) { return users-- > 0 ? OK : UNINITIALIZED; }

const char *nvmlErrorString(int code) { return code == NOT_SUPPORTED ? "Not Supported" : "Error"; }

int nvmlSystemGetDriverVersion(char *version, unsigned size) { return copied(version, size, "575.57.08"); }

int nvmlDeviceGetCount_v2(unsigned *count) {
    *count = strlen(gpus());
    return users ? OK : UNINITIALIZED;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, struct device **found) {
    if (index >= strlen(gpus())) return INVALID;
    *found = &devices[index * 16];
    **found = (struct device){index, -1};
    return sort(*found) == 'l' ? LOST : OK;
}

int nvmlDeviceGetMigMode(struct device *device, unsigned *current, unsigned *pending) {
    if (sort(device) == 'o') return NOT_SUPPORTED;
    *current = *pending = in_mig_mode(device);
    return OK;
}

int nvmlDeviceGetMaxMigDeviceCount(struct device *device, unsigned *count) {
    *count = 14;
    return in_mig_mode(device) ? OK : INVALID;
}

int nvmlDeviceGetMigDeviceHandleByIndex(struct device *device, unsigned index, struct device **found) {
    if (!in_mig_mode(device)) return INVALID;
    if (index % 2 || index / 2 >= (unsigned)(sort(device) - '0')) return NOT_FOUND;
    *found = device + 1 + index / 2;
    **found = (struct device){device->gpu, index / 2};
    return OK;
}

int nvmlDeviceGetUUID(struct device *device, char *uuid, unsigned size) {
    char text[96];
    const char *what = device->instance < 0 ? "GPU" : "MIG";
    snprintf(text, sizeof text, "%s-%08x-0000-0000-0000-%012x", what, device->gpu, device->instance + 1);
    return copied(uuid, size, text);
}

int nvmlDeviceGetName(struct device *device, char *name, unsigned size) {
    if (device->instance < 0) return copied(name, size, in_mig_mode(device) ? "NVIDIA H100 80GB HBM3" : "NVIDIA L4");
    return copied(name, size, device->instance ? "NVIDIA H100 80GB HBM3 MIG 1g.10gb" : "NVIDIA H100 80GB HBM3 MIG 3g.40gb");
}

int nvmlDeviceGetMemoryInfo(struct device *device, unsigned long long memory[3]) {
    if (sort(device) == 'u') return NOT_SUPPORTED;
    unsigned long long gibi = device->instance < 0 ? 24 : device->instance ? 10 : 40;
    memory[0] = memory[1] = gibi << 30;
    memory[2] = 0;
    return OK;
}

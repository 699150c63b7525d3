#include "format/hdf5_driver.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#if H5_VERSION_GE(1, 13, 0)
#include <H5FDdevelop.h>
#endif

#include "base/mem.h"

/* The library knows it by its first member alone. */
struct lcal__h5_driver {
    H5FD_t base;
    const unsigned char *bytes;
    haddr_t size;
    haddr_t end;        /* of the allocated space, as the file says */
    hid_t registration; /* the class's, for this driver alone */
    bool open;          /* in the library's hands */
    bool orphan;        /* freed by its owner while open */
};

static lcal__h5_driver *driver_of(const H5FD_t *base)
{
    return (lcal__h5_driver *)base;
}

static herr_t refuse(const char *why)
{
    H5Epush2(H5E_DEFAULT, __FILE__, __func__, __LINE__, H5E_ERR_CLS, H5E_VFL, H5E_READERROR, "%s",
             why);
    return -1;
}

/* The driver's information in the access properties is its own address. */
static H5FD_t *open_image(const char *name, unsigned flags, hid_t access, haddr_t limit)
{
    lcal__h5_driver *const *info = H5Pget_driver_info(access);
    (void)name, (void)limit;
    if (!info || (*info)->open || flags & H5F_ACC_RDWR) {
        refuse("only one image is open, and for reading");
        return NULL;
    }
    (*info)->open = true;
    return &(*info)->base;
}

static herr_t close_image(H5FD_t *base)
{
    lcal__h5_driver *driver = driver_of(base);
    driver->open = false;
    if (driver->orphan)
        lcal__free(driver);
    return 0;
}

/* No image is the same file as another, whatever their bytes. */
static int compare(const H5FD_t *a, const H5FD_t *b)
{
    return ((uintptr_t)a > (uintptr_t)b) - ((uintptr_t)a < (uintptr_t)b);
}

/* Neither the accumulator of metadata nor the sieve of data; what the file says about the driver
 * that wrote it is left unread. */
static herr_t query(const H5FD_t *base, unsigned long *flags)
{
    (void)base;
    *flags = H5FD_FEAT_IGNORE_DRVRINFO;
    return 0;
}

static haddr_t get_end(const H5FD_t *base, H5FD_mem_t kind)
{
    (void)kind;
    return driver_of(base)->end;
}

/* Only kept: the reads are checked against the image itself. */
static herr_t set_end(H5FD_t *base, H5FD_mem_t kind, haddr_t end)
{
    (void)kind;
    driver_of(base)->end = end;
    return 0;
}

static haddr_t get_size(const H5FD_t *base, H5FD_mem_t kind)
{
    (void)kind;
    return driver_of(base)->size;
}

/*
 * An image of the library's cache of metadata, which no property turns off, is known by the mark in
 * front of it. It is refused: it says again what the file says elsewhere, and whoever takes it
 * apart has to trust it.
 */
static bool is_cache_image(H5FD_mem_t kind, const void *bytes, size_t size)
{
    return kind == H5FD_MEM_SUPER && size >= 4 && memcmp(bytes, "MDCI", 4) == 0;
}

static uint64_t u64_at(const unsigned char *bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < 8; i++)
        value |= (uint64_t)bytes[i] << 8 * i;
    return value;
}

/*
 * A local heap, in which groups of the old format keep names: mark and version, the size of its
 * data, the offset of the first free block in it, the data's address. A free block begins with the
 * offset of the next, and 1 ends the list. Versions in use copy a size near 2^64 as it is, and
 * follow a list that bites its tail until the memory is full.
 */
static bool is_broken_heap(const lcal__h5_driver *driver, H5FD_mem_t kind,
                           const unsigned char *bytes, size_t size)
{
    if (kind != H5FD_MEM_LHEAP || size < 32 || memcmp(bytes, "HEAP", 4) != 0)
        return false;
    uint64_t length = u64_at(bytes + 8), next = u64_at(bytes + 16), data = u64_at(bytes + 24);
    if (data > driver->size || length > driver->size - data)
        return true;
    for (uint64_t blocks = 0; next != 1; blocks++) {
        if (blocks > length / 16 || length < 16 || next > length - 16)
            return true;
        next = u64_at(driver->bytes + data + next);
    }
    return false;
}

static herr_t read_image(H5FD_t *base, H5FD_mem_t kind, hid_t transfer, haddr_t address,
                         size_t size, void *out)
{
    const lcal__h5_driver *driver = driver_of(base);
    (void)transfer;
    if (address > driver->size || size > driver->size - address)
        return refuse("an address is beyond the end of the file");
    if (is_cache_image(kind, driver->bytes + address, size))
        return refuse("the file holds an image of a cache; h5repack leaves it out");
    if (is_broken_heap(driver, kind, driver->bytes + address, size))
        return refuse("a heap is broken");
    memcpy(out, driver->bytes + address, size);
    return 0;
}

static herr_t refuse_write(H5FD_t *base, H5FD_mem_t kind, hid_t transfer, haddr_t address,
                           size_t size, const void *bytes)
{
    (void)base, (void)kind, (void)transfer, (void)address, (void)size, (void)bytes;
    return refuse("the image is only read");
}

static const H5FD_class_t image_class = {
#ifdef H5FD_CLASS_VERSION
    .version = H5FD_CLASS_VERSION,
    .value = 512, /* the first that the library does not keep for itself; never looked up */
#endif
    .name = "lcal-image",
    .maxaddr = INT64_MAX,
    .fc_degree = H5F_CLOSE_STRONG,
    .fapl_size = sizeof(lcal__h5_driver *),
    .open = open_image,
    .close = close_image,
    .cmp = compare,
    .query = query,
    .get_eoa = get_end,
    .set_eoa = set_end,
    .get_eof = get_size,
    .read = read_image,
    .write = refuse_write,
    .fl_map = H5FD_FLMAP_SINGLE,
};

lcal__h5_driver *lcal__h5_driver_new(const void *bytes, size_t size)
{
    lcal__h5_driver *driver = lcal__calloc(1, sizeof(*driver));
    if (driver) {
        driver->bytes = bytes;
        driver->size = size;
        driver->registration = H5I_INVALID_HID;
    }
    return driver;
}

/* The sieve and the buffer of pages are declined twice: by the driver's flags and here. A cache of
 * chunks would trust the length that the file gives for one. */
hid_t lcal__h5_driver_access(lcal__h5_driver *driver)
{
    if (driver->registration < 0)
        driver->registration = H5FDregister(&image_class);
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    if (access >= 0
        && (driver->registration < 0 || H5Pset_driver(access, driver->registration, &driver) < 0
            || H5Pset_sieve_buf_size(access, 0) < 0 || H5Pset_page_buffer_size(access, 0, 0, 0) < 0
            || H5Pset_cache(access, 0, 0, 0, 0) < 0
            || H5Pset_fclose_degree(access, H5F_CLOSE_STRONG) < 0)) {
        H5Pclose(access);
        access = H5I_INVALID_HID;
    }
    return access;
}

void lcal__h5_driver_free(lcal__h5_driver **driver)
{
    lcal__h5_driver *old = *driver;
    if (!old)
        return;
    *driver = NULL;
    if (old->open) {
        /* The library closes it at the program's end, and needs the registration for that. */
        old->bytes = (const unsigned char *)"";
        old->size = 0;
        old->orphan = true;
        return;
    }
    if (old->registration >= 0)
        H5FDunregister(old->registration);
    lcal__free(old);
}

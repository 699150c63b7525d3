#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "format/hdf5_internal.h"

/* A whole group's names are gathered by the library before we see one. */
#define MEMBERS_MAX 1000000

/* Bytes of the image for each member that walks may see; an honest one takes several times as many.
 * Without this bound groups that share their members would multiply: thousands of millions in a few
 * thousand bytes. */
#define MEMBER_BYTES 16

/* Checks the seal, if there is one, and leaves the HDF5 file proper. */
static lcal_status open_seal(lcal__h5 *file, lcal_error *err)
{
    unsigned char digest[LCAL__SHA256_BYTES];
    if (file->image_size < LCAL__H5_SEAL_BYTES)
        return LCAL_OK;
    size_t size = file->image_size - LCAL__H5_SEAL_BYTES;
    const unsigned char *end = (const unsigned char *)file->image + size;
    if (memcmp(end, LCAL__H5_SEAL, 8) != 0)
        return LCAL_OK;
    LCAL_TRY(lcal__sha256_bytes(file->image, size, digest, err));
    if (memcmp(digest, end + 8, sizeof(digest)) != 0)
        return lcal__fail(err, LCAL_FORMAT,
                          "%s: damaged: its bytes do not match the checksum at its end; restore it "
                          "from a copy",
                          file->source);
    file->image_size = size;
    return LCAL_OK;
}

/* Others would only be made on purpose, and the driver knows this form alone. */
static lcal_status check_widths(const lcal__h5 *file, lcal_error *err)
{
    const unsigned char *bytes = file->image;
    size_t at = file->image_size > 8 && bytes[8] < 2 ? 13 : 9;
    if (file->image_size >= at + 2 && (bytes[at] != 8 || bytes[at + 1] != 8))
        return lcal__fail(err, LCAL_UNSUPPORTED,
                          "%s: expected addresses and sizes of 8 bytes, found %d and %d",
                          file->source, bytes[at], bytes[at + 1]);
    return LCAL_OK;
}

static lcal_status open_image(lcal__h5 *file, lcal_error *err)
{
    LCAL_TRY(check_widths(file, err));
    file->driver = lcal__h5_driver_new(file->image, file->image_size);
    if (!file->driver)
        return lcal__fail_nomem(err, file->source);
    hid_t access = lcal__h5_driver_access(file->driver);
    if (access >= 0)
        file->file = H5Fopen("lcal-image", H5F_ACC_RDONLY, access);
    lcal_status status = LCAL_OK;
    if (file->file < 0)
        status = lcal__h5_fail(file, LCAL_FORMAT, "/", "open it as an HDF5 file", err);
    lcal__h5_drop(access);
    return status;
}

lcal_status lcal__h5_open(const void *bytes, size_t size, const char *source, lcal__h5 **out,
                          lcal_error *err)
{
    static const unsigned char signature[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1A, '\n'};
    if (size < sizeof(signature) || memcmp(bytes, signature, sizeof(signature)) != 0)
        return lcal__fail(err, LCAL_FORMAT, "%s: expected an HDF5 file, found other data", source);
    lcal__h5 *file = NULL;
    lcal__h5_quiet quiet = lcal__h5_silence();
    lcal_status status = lcal__h5_handle(source, &file, err);
    if (status == LCAL_OK) {
        file->image = bytes;
        file->image_size = size;
        status = open_seal(file, err);
    }
    if (status == LCAL_OK)
        status = open_image(file, err);
    lcal__h5_restore(quiet);
    if (status != LCAL_OK)
        lcal__h5_close(&file);
    else
        *out = file;
    return status;
}

/* Every link on the way must be a hard one: the others may lead out of the file. */
static lcal_status check_links(const lcal__h5 *file, const char *path, char *prefix,
                               lcal_error *err)
{
    for (char *end = prefix; end;) {
        end = strchr(end + 1, '/');
        if (end)
            *end = '\0';
        H5L_info_t link;
        htri_t there = H5Lexists(file->file, prefix, H5P_DEFAULT);
        if (there < 0)
            return lcal__h5_fail(file, LCAL_FORMAT, path, "look it up", err);
        if (!there)
            return lcal__fail(err, LCAL_FORMAT, "%s: %s: missing", file->source, prefix);
        if (H5Lget_info(file->file, prefix, &link, H5P_DEFAULT) < 0)
            return lcal__h5_fail(file, LCAL_FORMAT, path, "look it up", err);
        if (link.type != H5L_TYPE_HARD)
            return lcal__fail(err, LCAL_UNSUPPORTED,
                              "%s: %s: expected an object, found a soft or external link, which is "
                              "never followed",
                              file->source, prefix);
        if (end)
            *end = '/';
    }
    return LCAL_OK;
}

lcal_status lcal__h5_object(const lcal__h5 *file, const char *path, H5I_type_t type, hid_t *out,
                            lcal_error *err)
{
    if (path[0] != '/')
        return lcal__fail(err, LCAL_INVALID, "%s: %s: expected an absolute path", file->source,
                          path);
    if (path[1]) {
        char *prefix = lcal__strdup(path);
        if (!prefix)
            return lcal__fail_nomem(err, path);
        lcal_status status = check_links(file, path, prefix, err);
        lcal__free(prefix);
        if (status != LCAL_OK)
            return status;
    }
    hid_t object = H5Oopen(file->file, path, H5P_DEFAULT);
    if (object < 0)
        return lcal__h5_fail(file, LCAL_FORMAT, path, "open it", err);
    if (type != H5I_BADID && H5Iget_type(object) != type) {
        lcal__h5_drop(object);
        return lcal__fail(err, LCAL_FORMAT, "%s: %s: expected a %s, found another kind of object",
                          file->source, path, type == H5I_GROUP ? "group" : "dataset");
    }
    *out = object;
    return LCAL_OK;
}

bool lcal__h5_has(lcal__h5 *file, const char *path)
{
    hid_t object = H5I_INVALID_HID;
    lcal__h5_quiet quiet = lcal__h5_silence();
    bool found = lcal__h5_object(file, path, H5I_BADID, &object, NULL) == LCAL_OK;
    lcal__h5_drop(object);
    lcal__h5_restore(quiet);
    return found;
}

bool lcal__h5_has_attribute(lcal__h5 *file, const char *path, const char *name)
{
    hid_t object = H5I_INVALID_HID;
    lcal__h5_quiet quiet = lcal__h5_silence();
    bool found = lcal__h5_object(file, path, H5I_BADID, &object, NULL) == LCAL_OK
                 && H5Aexists(object, name) > 0;
    lcal__h5_drop(object);
    lcal__h5_restore(quiet);
    return found;
}

typedef struct walk {
    lcal__h5 *file;
    const char *path;
    lcal__h5_visit_fn *fn;
    void *context;
    lcal_error *err;
    lcal_status status; /* of the visitor, or ours */
} walk;

static herr_t visit(hid_t group, const char *name, const H5L_info_t *link, void *context)
{
    walk *w = context;
    H5O_info_t object;
    if (w->file->visited++ >= w->file->image_size / MEMBER_BYTES)
        w->status =
            lcal__fail(w->err, LCAL_FORMAT,
                       "%s: %s: more members than its %zu bytes can hold: groups that share "
                       "their members",
                       w->file->source, w->path, w->file->image_size);
    else if (link->type != H5L_TYPE_HARD)
        w->status = lcal__fail(w->err, LCAL_UNSUPPORTED,
                               "%s: %s: member %s: expected an object, found a soft or external "
                               "link, which is never followed",
                               w->file->source, w->path, name);
    else if (H5Oget_info_by_name2(group, name, &object, H5O_INFO_BASIC, H5P_DEFAULT) < 0)
        w->status = lcal__h5_fail(w->file, LCAL_FORMAT, w->path, "examine a member", w->err);
    else
        w->status = w->fn(w->context, name, object.type == H5O_TYPE_GROUP, w->err);
    return w->status == LCAL_OK ? 0 : -1;
}

static herr_t count_member(hid_t group, const char *name, const H5L_info_t *link, void *count)
{
    (void)group, (void)name, (void)link;
    ++*(hsize_t *)count;
    return 0;
}

/*
 * True where every link of the group can be read. Where one cannot, versions in use free memory
 * they never set, unless the walk is in native order, which only groups with an index can offer; in
 * the others, looking for a name that is not there reads all links.
 */
static bool links_are_sound(hid_t group, const H5G_info_t *info)
{
    hsize_t next = 0, count = 0;
    if (info->storage_type == H5G_STORAGE_TYPE_DENSE)
        return H5Literate(group, H5_INDEX_NAME, H5_ITER_NATIVE, &next, count_member, &count) >= 0
               && count == info->nlinks;
    htri_t there = 1;
    for (hsize_t i = 0; there > 0 && i <= info->nlinks; i++) {
        char name[32];
        snprintf(name, sizeof(name), "%llu", (unsigned long long)i);
        there = H5Lexists(group, name, H5P_DEFAULT);
    }
    return there == 0;
}

static lcal_status list(walk *w)
{
    hid_t group;
    H5G_info_t info;
    LCAL_TRY(lcal__h5_object(w->file, w->path, H5I_GROUP, &group, w->err));
    hid_t properties = H5Gget_create_plist(group);
    unsigned order = 0;
    if (properties < 0 || H5Pget_link_creation_order(properties, &order) < 0
        || H5Gget_info(group, &info) < 0)
        w->status = lcal__h5_fail(w->file, LCAL_FORMAT, w->path, "examine the group", w->err);
    else if (info.nlinks > MEMBERS_MAX)
        w->status =
            lcal__fail(w->err, LCAL_FORMAT, "%s: %s: expected at most %d members, found %llu",
                       w->file->source, w->path, MEMBERS_MAX, (unsigned long long)info.nlinks);
    else if (!links_are_sound(group, &info))
        w->status = lcal__h5_fail(w->file, LCAL_FORMAT, w->path, "read its links", w->err);
    else {
        /* A file of another writer may not know the order: then by name. */
        H5_index_t index = order & H5P_CRT_ORDER_TRACKED ? H5_INDEX_CRT_ORDER : H5_INDEX_NAME;
        hsize_t next = 0;
        if (H5Literate(group, index, H5_ITER_INC, &next, visit, w) < 0 && w->status == LCAL_OK)
            w->status = lcal__h5_fail(w->file, LCAL_FORMAT, w->path, "list the group", w->err);
    }
    lcal__h5_drop(properties);
    lcal__h5_drop(group);
    return w->status;
}

lcal_status lcal__h5_list(lcal__h5 *file, const char *group, lcal__h5_visit_fn *fn, void *context,
                          lcal_error *err)
{
    /* A visitor that walks deeper may be building the next path where it built this one. */
    char *path = lcal__strdup(group);
    if (!path)
        return lcal__fail_nomem(err, group);
    walk w = {file, path, fn, context, err, LCAL_OK};
    lcal__h5_quiet quiet = lcal__h5_silence();
    lcal_status status = list(&w);
    lcal__h5_restore(quiet);
    lcal__free(path);
    return status;
}

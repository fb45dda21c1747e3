/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Virtual disks as a kind of device: what is in the store becomes a volume and a connection to it. The volume is held
 * from the making of the device to its end, so that nobody else takes it between a boot loader and its kernel.
 */
#include "vbd.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <abi/io/blkif.h>

#include "connection.h"
#include "dom0-tools/devices/backend.h"
#include "image.h"

#define RING_ORDER_MAX 4u

_Static_assert(1u << RING_ORDER_MAX == CONNECTION_RING_PAGES_MAX, "the order offered is the one that fits");

struct vbd {
    struct volume *volume;
    bool read_only, cdrom;
    struct connection *connection;
};

/* What hinders opening it, as a sentence. */
static void explain(const char *target, bool read_only, char reason[VBD_REASON_MAX])
{
    int error = errno;
    const char *what = strerror(error);

    if (error == ENOENT)
        what = "there is no such file or disk; ls shows the files, ls /dev the machine's disks";
    else if (error == EROFS)
        what = "it is read-only; say access=ro, or make the file writable before the RAM disk is packed";
    else if (error == EBUSY)
        what = read_only ? "another device writes to it" : "another device uses it; access=w! shares it nevertheless";
    else if (error == EINVAL)
        what = "it is empty, or its size is not a multiple of 512 bytes";
    else if (error == EISDIR)
        what = "it is a directory";
    snprintf(reason, VBD_REASON_MAX, "%s: %s", target, what);
}

/* An image that was cut short is refused; one that is not readable at all, too. */
static bool is_whole(struct volume *volume, const char *target, char reason[VBD_REASON_MAX])
{
    size_t size = volume->sectors < IMAGE_HEAD_BYTES / VOLUME_SECTOR_SIZE ? (size_t)volume->sectors * VOLUME_SECTOR_SIZE
                                                                          : IMAGE_HEAD_BYTES;
    char *head = malloc(size);
    int status = head != NULL ? volume_transfer(volume, VOLUME_READ, 0, head, size) : -ENOMEM;
    const char *what = NULL;
    uint64_t claimed = status == 0 ? image_claimed_sectors(head, size, &what) : 0;

    free(head);
    if (status != 0)
        snprintf(reason, VBD_REASON_MAX, "%s: its beginning could not be read: %s", target, strerror(-status));
    else if (claimed > volume->sectors)
        snprintf(reason, VBD_REASON_MAX,
                 "%s has %" PRIu64 " sectors, but %s says %" PRIu64 ": it was cut short; copy it again", target,
                 volume->sectors, what, claimed);
    return status == 0 && claimed <= volume->sectors;
}

struct volume *vbd_open(const char *target, bool read_only, bool shared, char reason[VBD_REASON_MAX])
{
    struct volume *volume;

    if (*target == '\0') {
        snprintf(reason, VBD_REASON_MAX, "an empty CD-ROM drive is not possible for a PV guest: name an image");
        return NULL;
    }
    volume = volume_open(target, !read_only, shared);
    if (volume == NULL)
        explain(target, read_only, reason);
    return volume;
}

bool vbd_check(const struct disk *disk, char reason[VBD_REASON_MAX])
{
    struct volume *volume = vbd_open(disk->target, disk->read_only, disk->shared, reason);
    bool whole;

    if (volume == NULL)
        return false;
    whole = is_whole(volume, disk->target, reason);
    volume_close(volume, !disk->read_only);
    return whole;
}

static bool reads_as(const struct backend_device *device, const char *node, const char *wanted)
{
    char *value = backend_read(device, false, node);
    bool same = value != NULL && strcmp(value, wanted) == 0;

    free(value);
    return same;
}

static bool write_size(const struct backend_device *device, const struct vbd *vbd)
{
    unsigned int info = (vbd->cdrom ? VDISK_CDROM : 0) | (vbd->read_only ? VDISK_READONLY : 0);

    return backend_write(device, "sectors", "%" PRIu64, vbd->volume->sectors) &&
           backend_write(device, "info", "%u", info) &&
           backend_write(device, "sector-size", "%u", VOLUME_SECTOR_SIZE) &&
           backend_write(device, "physical-sector-size", "%u", VOLUME_SECTOR_SIZE);
}

/* There is no discarding, and one queue. */
static bool write_features(const struct backend_device *device)
{
    return backend_write(device, "feature-flush-cache", "1") && backend_write(device, "feature-barrier", "1") &&
           backend_write(device, "feature-persistent", "1") &&
           backend_write(device, "feature-max-indirect-segments", "%u", CONNECTION_INDIRECT_SEGMENTS_MAX) &&
           backend_write(device, "max-ring-page-order", "%u", RING_ORDER_MAX);
}

static int create(struct backend_device *device)
{
    struct vbd *vbd = calloc(1, sizeof(*vbd));
    char *params = backend_read(device, false, "params"), reason[VBD_REASON_MAX] = "it names no image";
    int error = 0;

    if (vbd != NULL) {
        vbd->read_only = reads_as(device, "mode", "r");
        vbd->cdrom = reads_as(device, "device-type", "cdrom");
        vbd->volume = params != NULL ? vbd_open(params, vbd->read_only, reads_as(device, "mode", "w!"), reason) : NULL;
    }
    free(params);
    if (vbd == NULL || vbd->volume == NULL) {
        backend_error(device, 0, "%s", vbd != NULL ? reason : "out of memory");
        free(vbd);
        return -ENOENT;
    }
    device->own = vbd;
    if (!write_features(device) || !write_size(device, vbd)) {
        error = errno;
        backend_error(device, error, "its features could not be written");
        volume_close(vbd->volume, !vbd->read_only);
        free(vbd);
        device->own = NULL;
    }
    return -error;
}

static bool read_ref(struct backend_device *device, const char *node, grant_ref_t *ref)
{
    uint64_t number;

    if (!backend_read_number(device, true, node, &number) || number > UINT32_MAX) {
        backend_error(device, EINVAL, "the frontend's %s is missing or no number", node);
        return false;
    }
    *ref = (grant_ref_t)number;
    return true;
}

static bool read_ring(struct backend_device *device, struct connection_setup *setup)
{
    uint64_t order = 0, ref;
    char node[16];

    setup->ring_pages = 1;
    if (!backend_read_number(device, true, "ring-page-order", &order) ||
        (order == 0 && !backend_read_number(device, true, "ring-ref0", &ref))) /* frontends differ in what they write */
        return read_ref(device, "ring-ref", &setup->ring_refs[0]);
    if (order > RING_ORDER_MAX) {
        backend_error(device, EINVAL, "the frontend's ring-page-order %" PRIu64 " is more than the %u offered", order,
                      RING_ORDER_MAX);
        return false;
    }
    setup->ring_pages = 1u << order;
    for (unsigned int i = 0; i < setup->ring_pages; i++) {
        snprintf(node, sizeof(node), "ring-ref%u", i);
        if (!read_ref(device, node, &setup->ring_refs[i]))
            return false;
    }
    return true;
}

static bool read_protocol(struct backend_device *device, struct connection_setup *setup)
{
    char *protocol = backend_read(device, true, "protocol");
    bool known = block_protocol_parse(protocol, &setup->protocol);

    if (!known)
        backend_error(device, EINVAL, "the frontend's protocol is neither x86_32-abi nor x86_64-abi");
    free(protocol);
    return known;
}

static bool read_front(struct backend_device *device, struct connection_setup *setup)
{
    uint64_t number;

    if (!read_ring(device, setup) || !read_protocol(device, setup))
        return false;
    setup->persistent = backend_read_number(device, true, "feature-persistent", &number) && number != 0;
    if (!backend_read_number(device, true, "event-channel", &number) || number > UINT32_MAX) {
        backend_error(device, EINVAL, "the frontend's event-channel is missing or no number");
        return false;
    }
    setup->remote_port = (evtchn_port_t)number;
    return true;
}

static int connect(struct backend_device *device)
{
    struct vbd *vbd = device->own;
    struct connection_setup setup = {
        .device = device, .volume = vbd->volume, .read_only = vbd->read_only, .domid = device->domid};
    const char *what;
    int error;

    if (!read_front(device, &setup))
        return -EINVAL;
    if (!write_size(device, vbd)) {
        error = errno;
        backend_error(device, error, "its size could not be written");
        return -error;
    }
    vbd->connection = connection_open(&setup, &what);
    if (vbd->connection != NULL)
        return 0;
    error = errno;
    backend_error(device, error, "%s failed", what);
    return -error;
}

static void disconnect(struct backend_device *device)
{
    struct vbd *vbd = device->own;
    struct connection *connection = vbd->connection;

    vbd->connection = NULL;
    if (connection != NULL)
        connection_close(connection);
}

static void destroy(struct backend_device *device)
{
    struct vbd *vbd = device->own;

    volume_close(vbd->volume, !vbd->read_only);
    free(vbd);
}

int vbd_start(void)
{
    static const struct backend_kind kind = {VBD_KIND, create, connect, disconnect, destroy, NULL};
    int status = connection_start();

    return status != 0 ? status : backend_serve(&kind);
}

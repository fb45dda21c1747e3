/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What a store client needs beside the calls themselves: node permissions and small helpers. Source-compatible with the
 * header of the same name of libxenstore 4.
 */
#ifndef XENSTORE_LIB_H
#define XENSTORE_LIB_H

#include <stddef.h>
#include <stdbool.h>
#include <limits.h>
#include <errno.h>
#include <stdint.h>
#include <abi/io/xs_wire.h>

/* One entry of a node's permissions. Entry 0 names the owner; its bits are those of every domain not listed after it. */
struct xs_permissions {
    unsigned int id;    /* a domid */
    unsigned int perms; /* XS_PERM_* bits */
};

#define XS_PERM_NONE  0x00
#define XS_PERM_READ  0x01
#define XS_PERM_WRITE 0x02

/* Never on the wire. */
#define XS_PERM_ENOENT_OK 0x04
#define XS_PERM_OWNER     0x08
#define XS_PERM_IGNORE    0x10

/* Errors travel by name. The table lists every error that a store reports. */
struct xsd_errors {
    int errnum;
    const char *errstring;
};

#define XSD_ERROR(x)                                                                                                   \
    {                                                                                                                  \
        x, #x                                                                                                          \
    }
static const struct xsd_errors xsd_errors[] __attribute__((unused)) = {
    XSD_ERROR(EINVAL), XSD_ERROR(EACCES), XSD_ERROR(EEXIST),    XSD_ERROR(EISDIR),
    XSD_ERROR(ENOENT), XSD_ERROR(ENOMEM), XSD_ERROR(ENOSPC),    XSD_ERROR(EIO),
    XSD_ERROR(EROFS),  XSD_ERROR(EBUSY),  XSD_ERROR(ENOTEMPTY), XSD_ERROR(ENOSYS),
    XSD_ERROR(EAGAIN), XSD_ERROR(EPERM),  XSD_ERROR(E2BIG),     XSD_ERROR(EISCONN),
};

/* Room for an integer type in decimal, with sign and terminator: ten bits are three digits or a little more. */
#define MAX_STRLEN(x) ((sizeof(x) * CHAR_BIT + CHAR_BIT - 1) / 10 * 3 + 2)

/* Where a store daemon reached over a socket would live: the environment (XENSTORED_RUNDIR, XENSTORED_PATH) decides. */
const char *xs_daemon_rundir(void);
const char *xs_daemon_socket(void);
const char *xs_daemon_socket_ro(void);

/* Writes all of `len` bytes to a file descriptor; false with errno set when that failed. */
bool xs_write_all(int fd, const void *data, unsigned int len);

/* Parses `num` consecutive strings like "r7" (letter n, r, w or b, then a domid). False with EINVAL on anything else. */
bool xs_strings_to_perms(struct xs_permissions *perms, unsigned int num, const char *strings);

#endif

/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Error numbers: the hypervisor's are those of Linux, newlib's differ above 34.
 */
#include <errno.h>
#include <abi/errno.h>
#include <pv/pv.h>
#include "internal.h"

static const struct {
    short xen, local;
} numbers[] = {
    {XEN_EDEADLK, EDEADLK},       {XEN_ENAMETOOLONG, ENAMETOOLONG}, {XEN_ENOLCK, ENOLCK},
    {XEN_ENOSYS, ENOSYS},         {XEN_ENOTEMPTY, ENOTEMPTY},       {XEN_ENODATA, ENODATA},
    {XEN_ETIME, ETIME},           {XEN_EBADMSG, EBADMSG},           {XEN_EOVERFLOW, EOVERFLOW},
    {XEN_EILSEQ, EILSEQ},         {XEN_ENOTSOCK, ENOTSOCK},         {XEN_EMSGSIZE, EMSGSIZE},
    {XEN_EOPNOTSUPP, EOPNOTSUPP}, {XEN_EADDRINUSE, EADDRINUSE},     {XEN_EADDRNOTAVAIL, EADDRNOTAVAIL},
    {XEN_ENOBUFS, ENOBUFS},       {XEN_EISCONN, EISCONN},           {XEN_ENOTCONN, ENOTCONN},
    {XEN_ETIMEDOUT, ETIMEDOUT},   {XEN_ECONNREFUSED, ECONNREFUSED},
};

long pv_error(long rc)
{
    if (rc >= 0)
        return rc;
    for (unsigned int i = 0; i < ARRAY_SIZE(numbers); i++) {
        if (numbers[i].xen == -rc)
            return -numbers[i].local;
    }
    /* Up to 34 both agree; the hypervisor's own restart code never reaches a guest. */
    return rc < -4095 ? -EIO : rc;
}

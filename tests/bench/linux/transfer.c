/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Throughput of a guest's devices: a disk without the page cache, and TCP to another guest. Every byte is checked.
 */
#define _GNU_SOURCE
#include "lat.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHUNK       (1UL << 20)
#define SMALL       4096UL
#define DISK_CHUNKS 8
#define NET_BYTES   (1UL << 20)

struct disk {
    int fd;
    uint32_t *buffer;
    uint32_t salt;
};

static void fill(uint32_t *words, size_t count, uint32_t seed)
{
    for (size_t i = 0; i < count; i++)
        words[i] = seed + (uint32_t)i * 2654435761U;
}

static void disk_write(void *state, unsigned count)
{
    struct disk *disk = state;

    disk->salt++;
    for (unsigned chunk = 0; chunk < count; chunk++) {
        fill(disk->buffer, CHUNK / 4, disk->salt + chunk);
        if (pwrite(disk->fd, disk->buffer, CHUNK, (off_t)(chunk * CHUNK)) != CHUNK)
            fail("write to the disk");
    }
    check(fsync(disk->fd), "flush of the disk");
}

static void disk_read(void *state, unsigned count)
{
    struct disk *disk = state;

    for (unsigned chunk = 0; chunk < count; chunk++) {
        if (pread(disk->fd, disk->buffer, CHUNK, (off_t)(chunk * CHUNK)) != CHUNK)
            fail("read of the disk");
        for (size_t i = 0; i < CHUNK / 4; i += 128)
            if (disk->buffer[i] != disk->salt + chunk + (uint32_t)i * 2654435761U) {
                errno = EIO;
                fail("the disk gave other bytes than it was given");
            }
    }
}

static void disk_random(void *state, unsigned count)
{
    struct disk *disk = state;
    uint32_t at = 12345;

    while (count--) {
        at = at * 1664525U + 1013904223U;
        if (pread(disk->fd, disk->buffer, SMALL, (off_t)((at >> 8) % (DISK_CHUNKS * CHUNK / SMALL) * SMALL)) != SMALL)
            fail("read of the disk");
    }
}

void bench_disk(const char *path)
{
    struct disk disk = {.fd = (int)check(open(path, O_RDWR | O_DIRECT), path)};

    disk.buffer = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (disk.buffer == MAP_FAILED)
        fail("mmap");
    measure("disk: write 1 MiB", disk_write, &disk, DISK_CHUNKS);
    measure("disk: read 1 MiB", disk_read, &disk, DISK_CHUNKS);
    measure("disk: read 4 KiB at random", disk_random, &disk, 100);
    close(disk.fd);
}

static struct sockaddr_in address_of(const char *host, const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};

    if (host && inet_pton(AF_INET, host, &address.sin_addr) != 1) {
        errno = EINVAL;
        fail(host);
    }
    return address;
}

/* Receives exactly that many bytes. */
static void receive(int fd, void *to, size_t bytes)
{
    for (size_t done = 0; done < bytes;) {
        ssize_t got = read(fd, (char *)to + done, bytes - done);

        if (got <= 0)
            fail("the connection ended early");
        done += (size_t)got;
    }
}

static void transmit(int fd, const void *from, size_t bytes)
{
    for (size_t done = 0; done < bytes;)
        done += (size_t)check(write(fd, (const char *)from + done, bytes - done), "write to the connection");
}

/* A request is one word: 0 is a ping answered by a word, n asks for the n-th bulk block to be taken and its sum returned. */
static void serve_one(int fd)
{
    static uint32_t block[NET_BYTES / 4];
    uint32_t request;

    while (read(fd, &request, sizeof(request)) == sizeof(request)) {
        uint32_t sum = request;

        if (request) {
            receive(fd, block, NET_BYTES);
            for (size_t i = 0; i < NET_BYTES / 4; i++)
                sum += block[i];
        }
        transmit(fd, &sum, sizeof(sum));
    }
}

void net_serve(const char *port)
{
    struct sockaddr_in address = address_of(NULL, port);
    int listener = (int)check(socket(AF_INET, SOCK_STREAM, 0), "socket"), one = 1;

    check(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), "setsockopt");
    check(bind(listener, (struct sockaddr *)&address, sizeof(address)), "bind");
    check(listen(listener, 1), "listen");
    printf("serving\n");
    fflush(stdout);
    for (;;) {
        int fd = (int)check(accept(listener, NULL, NULL), "accept");

        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        serve_one(fd);
        close(fd);
    }
}

static void net_ping(void *state, unsigned count)
{
    uint32_t word = 0;

    while (count--) {
        transmit(*(int *)state, &word, sizeof(word));
        receive(*(int *)state, &word, sizeof(word));
    }
}

static void net_bulk(void *state, unsigned count)
{
    static uint32_t block[NET_BYTES / 4];
    static uint32_t number;

    while (count--) {
        uint32_t expected = ++number, sum;

        fill(block, NET_BYTES / 4, number);
        for (size_t i = 0; i < NET_BYTES / 4; i++)
            expected += block[i];
        transmit(*(int *)state, &number, sizeof(number));
        transmit(*(int *)state, block, NET_BYTES);
        receive(*(int *)state, &sum, sizeof(sum));
        if (sum != expected) {
            errno = EIO;
            fail("the neighbour received other bytes than were sent");
        }
    }
}

void bench_net(const char *host, const char *port)
{
    struct sockaddr_in address = address_of(host, port);
    int fd = (int)check(socket(AF_INET, SOCK_STREAM, 0), "socket"), one = 1;

    check(connect(fd, (struct sockaddr *)&address, sizeof(address)), "connect");
    check(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)), "setsockopt");
    measure("net: round trip of 4 bytes", net_ping, &fd, 100);
    measure("net: send 1 MiB", net_bulk, &fd, 4);
    close(fd);
}

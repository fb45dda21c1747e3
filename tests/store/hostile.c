/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A domU that lies to dom0: store and console rings with impossible indices, messages that never end, noise. After each
 * lie it begins anew and must be served again; what dom0 and the other domains feel of it is checked from outside.
 *
 * It never lets the library's own threads run, because they would read its raw replies; it waits by yielding the vCPU.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <abi/io/console.h>
#include <abi/io/xs_wire.h>
#include <pv/event.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/pv.h>
#include <pv/time.h>

#include "../guests/check.h"

#define PATIENCE_NS (10ull * 1000 * 1000 * 1000)

static volatile struct xenstore_domain_interface *ring;
static volatile struct xencons_interface *console;

#define WAIT_FOR(condition)                                                                                            \
    ({                                                                                                                 \
        uint64_t deadline_ = time_monotonic_ns() + PATIENCE_NS;                                                        \
        while (!(condition) && time_monotonic_ns() < deadline_)                                                        \
            HYPERVISOR_sched_op(SCHEDOP_yield, NULL);                                                                  \
        (bool)(condition);                                                                                             \
    })

static void kick(void)
{
    event_notify(start_info->store_evtchn);
}

static void put_bytes(const void *bytes, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++)
        ring->req[MASK_XENSTORE_IDX(ring->req_prod + i)] = ((const char *)bytes)[i];
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    ring->req_prod += len;
}

/* A request whose header claims a length of its own. */
static void put_claim(uint32_t type, uint32_t req_id, const char *payload, uint32_t len, uint32_t claimed)
{
    struct xsd_sockmsg header = {type, req_id, 0, claimed};

    put_bytes(&header, sizeof(header));
    put_bytes(payload, len);
    kick();
}

static void put_request(uint32_t type, uint32_t req_id, const char *payload, uint32_t len)
{
    put_claim(type, req_id, payload, len, len);
}

static bool take_bytes(void *to, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++) {
        if (!WAIT_FOR(ring->rsp_prod != ring->rsp_cons))
            return false;
        if (to)
            ((char *)to)[i] = ring->rsp[MASK_XENSTORE_IDX(ring->rsp_cons)];
        ring->rsp_cons++;
        kick();
    }
    return true;
}

/* Asks for the domain's path and looks at the answer. */
static bool served(uint32_t req_id)
{
    struct xsd_sockmsg header;
    char domid[8], path[32], expected[32];

    snprintf(domid, sizeof(domid), "%u", pv_domid());
    snprintf(expected, sizeof(expected), "/local/domain/%s", domid);
    put_request(XS_GET_DOMAIN_PATH, req_id, domid, (uint32_t)strlen(domid) + 1);
    return take_bytes(&header, sizeof(header)) && header.type == XS_GET_DOMAIN_PATH && header.req_id == req_id &&
           header.len == strlen(expected) + 1 && take_bytes(path, header.len) && !strcmp(path, expected);
}

static bool begin_anew(void)
{
    ring->connection = XENSTORE_RECONNECT;
    kick();
    return WAIT_FOR(ring->connection == XENSTORE_CONNECTED) && ring->error == XENSTORE_ERROR_NONE &&
           ring->req_prod == 0 && ring->rsp_prod == 0;
}

static void test_protocol(void)
{
    struct xsd_sockmsg header = {XS_READ, 1, 0, 5000};

    check_group("messages");
    CHECK(begin_anew(), "the connection begins anew when the guest asks");
    CHECK(served(1), "and serves");
    put_bytes(&header, sizeof(header));
    kick();
    CHECK(WAIT_FOR(ring->error == XENSTORE_ERROR_PROTO), "a message of 5000 bytes is refused with the reason");
    CHECK(begin_anew() && served(2), "and one can begin anew");
    header.len = 100;
    put_bytes(&header, sizeof(header));
    kick();
    CHECK(begin_anew() && served(3), "half a message is forgotten");
}

static void test_indices(void)
{
    static const uint32_t lies[] = {1025, 5000, 0x7fffffff, 0x80000000, 0xffffffff};

    check_group("indices");
    for (unsigned int i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        ring->req_prod = ring->req_cons + lies[i];
        kick();
        CHECK(WAIT_FOR(ring->error == XENSTORE_ERROR_RINGIDX), "an impossible request index is refused");
        CHECK(begin_anew() && served(10 + i), "and one can begin anew");
        ring->rsp_cons = ring->rsp_prod - lies[i];
        kick();
        CHECK(WAIT_FOR(ring->error == XENSTORE_ERROR_RINGIDX), "an impossible response index is refused");
        CHECK(begin_anew() && served(20 + i), "and one can begin anew");
    }
}

static uint32_t noise(void)
{
    static uint32_t state = 2463534242u;

    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

/* Headers that are almost right, payloads that are not. */
static void test_noise(void)
{
    unsigned int refused = 0, rounds;
    char payload[64];

    check_group("noise");
    for (rounds = 0; rounds < 3000; rounds++) {
        uint32_t len = noise() % sizeof(payload);

        for (uint32_t i = 0; i < len; i++)
            payload[i] = "/@abx0123n\0r\0|-TF"[noise() % 17];
        put_claim(noise() % 26, noise(), payload, len, noise() % 64 ? len : noise());
        if (!WAIT_FOR(ring->req_cons == ring->req_prod || ring->error || ring->rsp_prod != ring->rsp_cons))
            break;
        ring->rsp_cons = ring->rsp_prod;
        kick();
        if (ring->error || noise() % 200 == 0) {
            refused++;
            if (!begin_anew())
                break;
        }
    }
    CHECK_EQ(rounds, 3000, "the store survives noise");
    CHECK(refused > 0, "some of it was refused");
    CHECK(begin_anew() && served(99), "and serves afterwards");
}

/* Requests without end, replies never read: the store stops taking, and goes on when there is room. */
static void test_unread_replies(void)
{
    unsigned int sent = 0;

    check_group("unread replies");
    while (sent < 5000) {
        uint64_t give_up = time_monotonic_ns() + 300000000;

        while (ring->req_prod - ring->req_cons > XENSTORE_RING_SIZE - 32 && time_monotonic_ns() < give_up)
            HYPERVISOR_sched_op(SCHEDOP_yield, NULL);
        if (ring->req_prod - ring->req_cons > XENSTORE_RING_SIZE - 32)
            break;
        put_request(XS_READ, sent++, "name", 5);
    }
    CHECK(sent < 500, "requests are no longer taken while their replies are not");
    while (take_bytes(NULL, 16) && ring->req_prod != ring->req_cons)
        ;
    CHECK(ring->req_prod == ring->req_cons, "reading the replies lets it go on");
    CHECK(begin_anew() && served(100), "the connection is whole");
}

static void test_console(void)
{
    static const uint32_t lies[] = {2049, 100000, 0x80000000, 0xffffffff};

    check_group("console");
    for (unsigned int i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        if (!WAIT_FOR(console->out_cons == console->out_prod))
            break;
        console->out_prod = console->out_cons + lies[i];
        event_notify(start_info->console.domU.evtchn);
        CHECK(WAIT_FOR(console->out_cons == console->out_prod), "an impossible console index is skipped");
        console->in_cons = console->in_prod + lies[i];
        console->in_cons = console->in_prod;
    }
}

/* Rings, prints and asks as fast as it can, until somebody ends it. */
static _Noreturn void make_noise(void)
{
    for (;;) {
        console->out_prod = console->out_cons + 2048;
        event_notify(start_info->console.domU.evtchn);
        if (ring->req_prod - ring->req_cons <= XENSTORE_RING_SIZE - 32)
            put_request(XS_READ, 1, "name", 5);
        ring->rsp_cons = ring->rsp_prod;
        kick();
    }
}

/* Bytes one by one, each with an event of its own. */
static void put_slowly(const char *path)
{
    struct xsd_sockmsg header = {XS_READ, 1, 0, (uint32_t)strlen(path) + 1};

    for (uint32_t i = 0; i < sizeof(header); i++, kick())
        put_bytes((const char *)&header + i, 1);
    for (uint32_t i = 0; i < header.len; i++, kick())
        put_bytes(path + i, 1);
}

/* Watches that fire for each other, and nobody who reads what they say. */
static void watch_without_reading(void)
{
    char payload[] = "/\0token 0";

    for (unsigned int i = 0; i < 20; i++) {
        payload[sizeof(payload) - 2] = (char)('a' + i);
        if (ring->req_prod - ring->req_cons <= XENSTORE_RING_SIZE - 64)
            put_request(XS_WATCH, i, payload, sizeof(payload));
    }
}

static void break_a_rule(uint32_t which)
{
    struct xsd_sockmsg half = {XS_WRITE, 1, 0, 100};

    switch (which % 6) {
    case 0:
        put_bytes(&half, which % (sizeof(half) + 1));
        break;
    case 1:
        put_claim(XS_WRITE, 2, "data/half", 9, 4096);
        break;
    case 2:
        put_claim(XS_WRITE, 3, "data", 4, 5000 + which);
        break;
    case 3:
        ring->req_prod = ring->req_cons + XENSTORE_RING_SIZE + 1 + which % 4096;
        break;
    case 4:
        ring->rsp_cons = ring->rsp_prod - XENSTORE_RING_SIZE - 1 - which % 4096;
        break;
    default:
        watch_without_reading();
        put_slowly("name");
        break;
    }
    kick();
}

/* Breaks a rule, begins anew, without end; now and then it looks whether it is served. */
static _Noreturn void break_rules(void)
{
    for (unsigned int rounds = 0;; rounds++) {
        break_a_rule(noise());
        if (!begin_anew() || (rounds % 16 == 0 && !served(rounds)))
            printf("INTRUSION: the store serves no more, round %u\n", rounds);
        if (rounds == 0)
            printf("break has begun\n");
    }
}

int main(int argc, char **argv)
{
    ring = pfn_to_virt(mfn_to_pfn(start_info->store_mfn));
    console = pfn_to_virt(mfn_to_pfn(start_info->console.domU.mfn));
    event_mask(start_info->store_evtchn);
    if (argc > 1 && !strcmp(argv[1], "noise"))
        make_noise();
    if (argc > 1 && !strcmp(argv[1], "break"))
        break_rules();
    test_protocol();
    test_indices();
    test_noise();
    test_unread_replies();
    test_console();
    (void)check_summary("hostile");
    fflush(stdout);
    WAIT_FOR(console->out_cons == console->out_prod);
    pv_shutdown(SHUTDOWN_poweroff);
}

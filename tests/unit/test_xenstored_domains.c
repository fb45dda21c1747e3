/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Domains of the store: introduction, rings whose guest lies, death and what it leaves behind.
 */
#include "../../dom0-tools/xenstored/ring.h"
#include "xenstored_harness.h"
#include "tests/unit/run_suite.h"

static struct client *dom0;

static void setup(void)
{
    setup_open_store();
    dom0 = connect_as(0);
}

/* Writes a message into the ring as a well-behaved guest does; it must fit. */
static void guest_send(struct fake_domain *domain, uint32_t type, uint32_t req_id, const void *payload, uint32_t len)
{
    struct xsd_sockmsg header = {type, req_id, 0, len};
    struct xenstore_domain_interface *ring = domain->ring;
    char bytes[XENSTORE_RING_SIZE];

    memcpy(bytes, &header, sizeof(header));
    memcpy(bytes + sizeof(header), payload, len);
    for (uint32_t i = 0; i < sizeof(header) + len; i++)
        ring->req[MASK_XENSTORE_IDX(ring->req_prod + i)] = bytes[i];
    ring->req_prod += (uint32_t)sizeof(header) + len;
}

static uint32_t guest_take(struct fake_domain *domain, void *to, uint32_t len)
{
    struct xenstore_domain_interface *ring = domain->ring;
    uint32_t done = 0;

    while (done < len && ring->rsp_cons != ring->rsp_prod)
        ((char *)to)[done++] = ring->rsp[MASK_XENSTORE_IDX(ring->rsp_cons++)];
    return done;
}

static void guest_receive(struct fake_domain *domain, struct reply *reply)
{
    ck_assert_uint_eq(guest_take(domain, &reply->header, sizeof(reply->header)), sizeof(reply->header));
    ck_assert_uint_eq(guest_take(domain, reply->payload, reply->header.len), reply->header.len);
    reply->payload[reply->header.len] = '\0';
}

START_TEST(test_introduce)
{
    struct client *guest = connect_as(4);

    tell(dom0, XS_WATCH, 0, "@introduceDomain|in|");
    expect_event(dom0, "@introduceDomain", "in");
    introduce(dom0, 5);
    expect_event(dom0, "@introduceDomain", "in");
    ck_assert_str_eq(ask(dom0, XS_IS_DOMAIN_INTRODUCED, 0, "5", 2)->payload, "T");
    ck_assert_str_eq(ask(dom0, XS_IS_DOMAIN_INTRODUCED, 0, "6", 2)->payload, "F");
    ck_assert_str_eq(ask(dom0, XS_IS_DOMAIN_INTRODUCED, 0, "0", 2)->payload, "T");
    ck_assert_uint_eq(fake_domains[5].ring->server_features, 3);
    ck_assert_int_eq(tell(guest, XS_INTRODUCE, 0, "6|1006|5|"), EACCES);
    ck_assert_int_eq(tell(dom0, XS_INTRODUCE, 0, "6|1006|5|"), EINVAL);
    ck_assert_int_eq(tell(dom0, XS_INTRODUCE, 0, "0|1|5|"), EINVAL);
    ck_assert_int_eq(tell(dom0, XS_INTRODUCE, 0, "x|1|5|"), EINVAL);
    ck_assert_int_eq(tell(dom0, XS_INTRODUCE, 0, "5|1|"), EINVAL);
    ck_assert_int_eq(tell(dom0, XS_INTRODUCE, 0, "40000|1|2|"), EINVAL);
}
END_TEST

/* An introduction that fails half-way leaves nothing mapped and nothing bound. */
START_TEST(test_introduce_fails)
{
    fake_domains[5].state = DOMAIN_RUNNING;
    fake_domains[5].refuse_map = true;
    ck_assert_int_eq(tell(dom0, XS_INTRODUCE, 0, "5|1005|5|"), EINVAL);
    fake_domains[5].refuse_map = false;
    fake_domains[5].refuse_bind = true;
    ck_assert_int_eq(tell(dom0, XS_INTRODUCE, 0, "5|1005|5|"), EINVAL);
    ck_assert(!fake_domains[5].mapped);
    ck_assert_ptr_null(domain_find(&daemon_under_test, 5));
    fake_domains[5].refuse_bind = false;
    ck_assert_int_eq(tell(dom0, XS_INTRODUCE, 0, "5|1005|5|"), 0);
    ck_assert_int_eq(tell(dom0, XS_INTRODUCE, 0, "5|1005|6|"), 0);
    ck_assert_uint_eq(fake_domains[5].unmaps, 1);
}
END_TEST

/* Requests and replies through the ring, across its wrap-around. */
START_TEST(test_ring)
{
    struct fake_domain *domain = introduce(dom0, 5);
    struct reply reply;

    put(dom0, 0, "/v", "value");
    domain->ring->req_cons = domain->ring->req_prod = 0xfffffff0u;
    domain->ring->rsp_cons = domain->ring->rsp_prod = 1000;
    for (uint32_t i = 0; i < 200; i++) {
        guest_send(domain, XS_READ, i, "/v", 3);
        signal_domain(5);
        run_daemon();
        guest_receive(domain, &reply);
        ck_assert_uint_eq(reply.header.type, XS_READ);
        ck_assert_uint_eq(reply.header.req_id, i);
        ck_assert_str_eq(reply.payload, "value");
    }
    ck_assert_uint_eq(domain->notified, 200);
}
END_TEST

/* A reply longer than the ring arrives in pieces as the guest makes room. */
START_TEST(test_long_reply)
{
    struct fake_domain *domain = introduce(dom0, 5);
    static char big[4000], got[5000];
    uint32_t have = 0;

    memset(big, 'z', sizeof(big) - 1);
    put(dom0, 0, "/v", big);
    guest_send(domain, XS_READ, 1, "/v", 3);
    for (int i = 0; i < 8; i++) {
        signal_domain(5);
        run_daemon();
        have += guest_take(domain, got + have, 700);
    }
    ck_assert_uint_eq(have, 16 + 3999);
    ck_assert(!memcmp(got + 16, big, 3999));
}
END_TEST

/* Whatever indices a guest invents, its connection is shut off with a reason and nothing else happens. */
START_TEST(test_lying_indices)
{
    static const uint32_t lies[][4] = {{0, 1025, 0, 0}, {1, 0, 0, 0}, {0, 0xffffffff, 0, 0},
                                       {0, 0, 0, 1025}, {0, 0, 5, 0}, {7, 8, 0, 0x80000000}};
    struct fake_domain *domain = introduce(dom0, 5);
    struct client *client = domain_find(&daemon_under_test, 5)->client;
    struct reply reply;

    run_daemon();
    tell(client, XS_WATCH, 0, "/x|t|");
    begin(client);
    domain->ring->req_cons = lies[_i][0];
    domain->ring->req_prod = lies[_i][1];
    domain->ring->rsp_cons = lies[_i][2];
    domain->ring->rsp_prod = lies[_i][3];
    signal_domain(5);
    run_daemon();
    put(dom0, 0, "/x", "event");
    run_daemon();
    ck_assert(client->broken);
    ck_assert_uint_eq(domain->ring->error, XENSTORE_ERROR_RINGIDX);
    ck_assert_uint_eq(client->nr_watches + client->nr_transactions, 0);
    ck_assert_ptr_nonnull(strstr(last_log, "d5"));
    ck_assert_int_eq(put(dom0, 0, "/still", "here"), 0);
    domain->ring->req_cons = domain->ring->req_prod = domain->ring->rsp_cons = domain->ring->rsp_prod = 0;
    introduce(dom0, 5);
    ck_assert_uint_eq(domain->ring->error, XENSTORE_ERROR_NONE);
    guest_send(domain, XS_GET_DOMAIN_PATH, 1, "5", 2);
    signal_domain(5);
    run_daemon();
    guest_receive(domain, &reply);
    ck_assert_str_eq(reply.payload, "/local/domain/5");
}
END_TEST

/* A too long message shuts the connection off; the guest may ask to begin anew, and does not flood the log so. */
START_TEST(test_reconnect)
{
    struct fake_domain *domain = introduce(dom0, 5);
    struct xenstore_domain_interface *ring = domain->ring;
    struct xsd_sockmsg header = {XS_WRITE, 1, 0, 5000};
    struct reply reply;

    for (int i = 0; i < 100; i++) {
        memcpy(ring->req, &header, sizeof(header));
        ring->req_prod = sizeof(header);
        signal_domain(5);
        run_daemon();
        ck_assert_uint_eq(ring->error, XENSTORE_ERROR_PROTO);
        ring->connection = XENSTORE_RECONNECT;
        signal_domain(5);
        run_daemon();
        ck_assert_uint_eq(ring->connection, XENSTORE_CONNECTED);
        ck_assert_uint_eq(ring->error, XENSTORE_ERROR_NONE);
        ck_assert_uint_eq(ring->req_prod | ring->req_cons | ring->rsp_prod | ring->rsp_cons, 0);
    }
    ck_assert_uint_le(log_lines, 8);
    guest_send(domain, XS_GET_DOMAIN_PATH, 9, "5", 2);
    signal_domain(5);
    run_daemon();
    guest_receive(domain, &reply);
    ck_assert_str_eq(reply.payload, "/local/domain/5");
}
END_TEST

/* A guest that sends without end gets its turns, and others get theirs in between. */
START_TEST(test_fairness)
{
    struct fake_domain *greedy = introduce(dom0, 5), *modest = introduce(dom0, 6);
    struct reply reply;

    run_daemon();
    for (uint32_t i = 0; i < 18; i++)
        guest_send(greedy, XS_READ, i, "/", 2);
    guest_send(modest, XS_GET_DOMAIN_PATH, 1, "6", 2);
    signal_domain(5);
    signal_domain(6);
    ck_assert(domains_run(&daemon_under_test));
    guest_receive(modest, &reply);
    ck_assert_str_eq(reply.payload, "/local/domain/6");
    ck_assert_uint_eq(greedy->ring->req_prod - greedy->ring->req_cons, 2 * 18);
    ck_assert(!domains_run(&daemon_under_test));
    ck_assert_uint_eq(greedy->ring->req_prod, greedy->ring->req_cons);
}
END_TEST

/* Random bytes with random indices: the daemon survives, its books stay right. */
START_TEST(test_random_ring)
{
    struct fake_domain *domain = introduce(dom0, 5);

    srand(99);
    for (int i = 0; i < 20000; i++) {
        struct xenstore_domain_interface *ring = domain->ring;
        struct xsd_sockmsg header = {(uint32_t)rand() % 24, (uint32_t)i, (uint32_t)rand() % 3,
                                     (uint32_t)rand() % (i % 50 ? 24 : 6000)};
        uint32_t start = ring->req_prod;

        for (uint32_t j = 0; j < 40; j++)
            ring->req[MASK_XENSTORE_IDX(start + j)] = j < 16 ? ((char *)&header)[j] : "/abx\0|0T"[rand() % 8];
        ring->req_prod = start + 16 + (header.len < 24 ? header.len : 24);
        ring->rsp_cons = ring->rsp_prod;
        if (rand() % 200 == 0)
            ring->req_prod = (uint32_t)rand();
        if (ring->error)
            ring->connection = XENSTORE_RECONNECT;
        signal_domain(5);
        run_daemon();
    }
    ck_assert_uint_eq(store_audit(&daemon_under_test.store), 0);
}
END_TEST

/* Shutdown is reported once, and again only after a resume; death disconnects. */
START_TEST(test_shutdown_and_death)
{
    introduce(dom0, 5);
    introduce(dom0, 6);
    tell(dom0, XS_WATCH, 0, "@releaseDomain|out|");
    expect_event(dom0, "@releaseDomain", "out");
    tell(dom0, XS_WATCH, 0, "@releaseDomain|who|1|");
    expect_event(dom0, "@releaseDomain", "who");
    tell(dom0, XS_WATCH, 0, "@releaseDomain/6|six|");
    expect_event(dom0, "@releaseDomain/6", "six");
    domains_check(&daemon_under_test);
    expect_silence(dom0);
    fake_domains[5].state = DOMAIN_SHUTDOWN;
    domains_check(&daemon_under_test);
    expect_event(dom0, "@releaseDomain/5", "who");
    expect_event(dom0, "@releaseDomain", "out");
    domains_check(&daemon_under_test);
    expect_silence(dom0);
    ck_assert_int_eq(tell(dom0, XS_RESUME, 0, "5|"), 0);
    domains_check(&daemon_under_test);
    expect_event(dom0, "@releaseDomain/5", "who");
    expect_event(dom0, "@releaseDomain", "out");
    fake_domains[6].state = DOMAIN_DYING;
    domains_check(&daemon_under_test);
    expect_event(dom0, "@releaseDomain/6", "six");
    ck_assert(!fake_domains[6].mapped);
    ck_assert_uint_eq(fake_domains[6].unbinds, 1);
    ck_assert_str_eq(ask(dom0, XS_IS_DOMAIN_INTRODUCED, 0, "6", 2)->payload, "F");
    ck_assert_int_eq(tell(dom0, XS_RELEASE, 0, "6|"), ENOENT);
    ck_assert_int_eq(tell(dom0, XS_RELEASE, 0, "0|"), EINVAL);
}
END_TEST

/* A later domain of the same number inherits neither nodes nor rights nor watches of the dead one. */
START_TEST(test_nothing_is_inherited)
{
    struct client *guest;

    introduce(dom0, 5);
    guest = domain_find(&daemon_under_test, 5)->client;
    put(dom0, 0, "/local/domain/5/name", "five");
    tell(dom0, XS_SET_PERMS, 0, "/local/domain/5|n0|r5|");
    put(dom0, 0, "/local/domain/5/data", "");
    tell(dom0, XS_SET_PERMS, 0, "/local/domain/5/data|n5|");
    put(dom0, 0, "/shared", "");
    tell(dom0, XS_SET_PERMS, 0, "/shared|n0|b5|r7|");
    tell(dom0, XS_SET_PERMS, 0, "@releaseDomain|n0|r5|");
    put(guest, 0, "data/x/y", "secret");
    put(guest, 0, "/shared/mine", "");
    tell(guest, XS_WATCH, 0, "/shared|t|");
    begin(guest);
    tell(dom0, XS_WATCH, 0, "/local/domain/5/data/x/y|gone|");
    expect_event(dom0, "/local/domain/5/data/x/y", "gone");
    fake_domains[5].state = DOMAIN_GONE;
    domains_check(&daemon_under_test);
    expect_event(dom0, "/local/domain/5/data/x/y", "gone");
    ck_assert_uint_eq(daemon_under_test.store.accounts[5].nodes, 0);
    ck_assert_uint_eq(daemon_under_test.store.accounts[5].mentions, 0);
    ck_assert_str_eq(value_of(dom0, 0, "/local/domain/5/name"), "five");
    ck_assert_ptr_null(value_of(dom0, 0, "/local/domain/5/data"));
    ck_assert_ptr_null(value_of(dom0, 0, "/shared/mine"));
    ck_assert_uint_eq(ask(dom0, XS_GET_PERMS, 0, "@releaseDomain", 15)->header.len, 3);
    ck_assert(!memcmp(ask(dom0, XS_GET_PERMS, 0, "/shared", 8)->payload, "n0\0r7", 6));
}
END_TEST

/* An ordinary guest hears of domains only if dom0 allowed it. */
START_TEST(test_special_permissions)
{
    struct client *guest;

    introduce(dom0, 5);
    guest = domain_find(&daemon_under_test, 5)->client;
    guest->wake = NULL;
    tell(guest, XS_WATCH, 0, "@introduceDomain|t|");
    expect_event(guest, "@introduceDomain", "t");
    introduce(dom0, 6);
    expect_silence(guest);
    ck_assert_int_eq(tell(guest, XS_SET_PERMS, 0, "@introduceDomain|n5|"), EACCES);
    ck_assert_int_eq(tell(guest, XS_GET_PERMS, 0, "@introduceDomain|"), EACCES);
    ck_assert_int_eq(tell(dom0, XS_SET_PERMS, 0, "@introduceDomain|n0|r5|"), 0);
    introduce(dom0, 7);
    expect_event(guest, "@introduceDomain", "t");
}
END_TEST

/* Many domains come and go: nothing remains. */
START_TEST(test_many_domains)
{
    char text[64];

    for (int round = 0; round < 3; round++) {
        for (unsigned int domid = 1; domid < 1000; domid++) {
            struct fake_domain *domain = introduce(dom0, domid);

            snprintf(text, sizeof(text), "/local/domain/%u/data", domid);
            put(dom0, 0, text, "");
            snprintf(text, sizeof(text), "/local/domain/%u/data|n%u|", domid, domid);
            tell(dom0, XS_SET_PERMS, 0, text);
            guest_send(domain, XS_WRITE, 1, "data/x\0y", 8);
            signal_domain(domid);
        }
        run_daemon();
        ck_assert_str_eq(value_of(dom0, 0, "/local/domain/999/data/x"), "y");
        for (unsigned int domid = 1; domid < 1000; domid++) {
            fake_domains[domid].state = DOMAIN_GONE;
            fake_domains[domid].ring->rsp_cons = fake_domains[domid].ring->rsp_prod;
        }
        domains_check(&daemon_under_test);
        for (unsigned int domid = 1; domid < 1000; domid++)
            ck_assert_uint_eq(daemon_under_test.store.accounts[domid].mentions, 0);
        tell(dom0, XS_RM, 0, "/local|");
        ck_assert_uint_eq(daemon_under_test.store.accounts[0].nodes, 1);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("xenstored domains");
    TCase *tcase = tcase_create("domains");

    tcase_add_checked_fixture(tcase, setup, teardown_daemon);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_introduce);
    tcase_add_test(tcase, test_introduce_fails);
    tcase_add_test(tcase, test_ring);
    tcase_add_test(tcase, test_long_reply);
    tcase_add_loop_test(tcase, test_lying_indices, 0, 6);
    tcase_add_test(tcase, test_reconnect);
    tcase_add_test(tcase, test_fairness);
    tcase_add_test(tcase, test_random_ring);
    tcase_add_test(tcase, test_shutdown_and_death);
    tcase_add_test(tcase, test_nothing_is_inherited);
    tcase_add_test(tcase, test_special_permissions);
    tcase_add_test(tcase, test_many_domains);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}

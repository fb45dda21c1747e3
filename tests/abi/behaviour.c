/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the macros with side effects do: the ring protocol and the trap-table and handle helpers. Built twice, with our
 * headers and with the reference headers; both programs must print the same lines. Guards against a ring that forgets
 * to ask for an event, or tells its peer too late: such a ring hangs only under load.
 */
#include <stdio.h>
#include <stdint.h>
#include <stddef.h>
#include <string.h>

#ifdef REFERENCE
#define __XEN_INTERFACE_VERSION__ 0x00040e00
#define __XEN_TOOLS__             1
#define xen_mb()                  __sync_synchronize()
#define xen_rmb()                 __sync_synchronize()
#define xen_wmb()                 __sync_synchronize()
#include <xen/xen.h>
#include <xen/io/ring.h>
#else
#include <abi/xen.h>
#include <abi/io/ring.h>
#endif

struct request {
    uint32_t number;
    uint64_t padding[3];
};

struct response {
    uint32_t number;
};

DEFINE_RING_TYPES(sample, struct request, struct response);

static union {
    struct sample_sring ring;
    unsigned char bytes[4096];
} page;

static uint32_t seed = 12345;

static uint32_t next_random(void)
{
    seed = seed * 1103515245u + 12345u;
    return seed >> 16;
}

static void print_rings(const char *what, const sample_front_ring_t *front, const sample_back_ring_t *back, int flag)
{
    printf("%s: %u %u %u %u private %u %u %u %u flag %d free %u full %d\n", what, page.ring.req_prod,
           page.ring.req_event, page.ring.rsp_prod, page.ring.rsp_event, front->req_prod_pvt, front->rsp_cons,
           back->rsp_prod_pvt, back->req_cons, flag, RING_FREE_REQUESTS(front), RING_FULL(front));
}

static void submit(sample_front_ring_t *front, const sample_back_ring_t *back)
{
    uint32_t wanted = next_random() % 8;
    int notify = 0;

    while (wanted-- && !RING_FULL(front)) {
        RING_GET_REQUEST(front, front->req_prod_pvt)->number = front->req_prod_pvt * 7;
        front->req_prod_pvt++;
    }
    if (next_random() % 4 == 0)
        RING_PUSH_REQUESTS(front);
    else
        RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(front, notify);
    print_rings("submit", front, back, notify);
}

static void serve(const sample_front_ring_t *front, sample_back_ring_t *back)
{
    uint32_t wanted = next_random() % 8;
    struct request request;
    int flag = 0;

    while (wanted-- && XEN_RING_NR_UNCONSUMED_REQUESTS(back) && !RING_REQUEST_CONS_OVERFLOW(back, back->req_cons)) {
        RING_COPY_REQUEST(back, back->req_cons, &request);
        back->req_cons++;
        RING_GET_RESPONSE(back, back->rsp_prod_pvt)->number = request.number + 1;
        back->rsp_prod_pvt++;
    }
    if (next_random() % 4 == 0)
        RING_PUSH_RESPONSES(back);
    else
        RING_PUSH_RESPONSES_AND_CHECK_NOTIFY(back, flag);
    print_rings("serve", front, back, flag);
    RING_FINAL_CHECK_FOR_REQUESTS(back, flag);
    print_rings("serve, before sleep", front, back, !!flag);
}

static void collect(sample_front_ring_t *front, const sample_back_ring_t *back)
{
    struct response response = {0};
    int work = 0;

    while (RING_HAS_UNCONSUMED_RESPONSES(front)) {
        RING_COPY_RESPONSE(front, front->rsp_cons, &response);
        front->rsp_cons++;
    }
    RING_FINAL_CHECK_FOR_RESPONSES(front, work);
    print_rings("collect", front, back, !!work + (int)response.number * 2);
}

static void print_overflows(const sample_front_ring_t *front, const sample_back_ring_t *back)
{
    printf("overflow: %d %d %d %d %d %d size %u responses %u requests %d\n",
           RING_REQUEST_PROD_OVERFLOW(back, back->rsp_prod_pvt + RING_SIZE(back)),
           RING_REQUEST_PROD_OVERFLOW(back, back->rsp_prod_pvt + RING_SIZE(back) + 1),
           RING_RESPONSE_PROD_OVERFLOW(front, front->rsp_cons + RING_SIZE(front)),
           RING_RESPONSE_PROD_OVERFLOW(front, front->rsp_cons + RING_SIZE(front) + 1),
           RING_REQUEST_CONS_OVERFLOW(back, back->rsp_prod_pvt + RING_SIZE(back)),
           RING_REQUEST_CONS_OVERFLOW(back, back->rsp_prod_pvt + RING_SIZE(back) - 1), RING_SIZE(front),
           XEN_RING_NR_UNCONSUMED_RESPONSES(front), !!RING_HAS_UNCONSUMED_REQUESTS(back));
}

static void rings(void)
{
    struct sample_sring *shared = &page.ring;
    sample_front_ring_t front;
    sample_back_ring_t back;

    memset(&page, 0xa5, sizeof(page));
    XEN_FRONT_RING_INIT(&front, shared, sizeof(page));
    BACK_RING_INIT(&back, shared, sizeof(page));
    printf("sizes: %u %u %u\n", front.nr_ents, (unsigned)__RING_SIZE(shared, sizeof(page)),
           (unsigned)__CONST_RING_SIZE(sample, 16384));
    for (int round = 0; round < 400; round++) {
        switch (next_random() % 3) {
        case 0:
            submit(&front, &back);
            break;
        case 1:
            serve(&front, &back);
            break;
        default:
            collect(&front, &back);
        }
        print_overflows(&front, &back);
    }
    FRONT_RING_ATTACH(&front, shared, 77, sizeof(page));
    BACK_RING_ATTACH(&back, shared, 99, sizeof(page));
    print_rings("attached", &front, &back, 0);
    SHARED_RING_INIT(shared);
    FRONT_RING_INIT(&front, shared, sizeof(page));
    print_rings("again", &front, &back, 0);
    for (size_t i = 0; i < offsetof(struct sample_sring, ring); i++)
        printf("%02x%s", page.bytes[i], i % 16 == 15 ? "\n" : " ");
}

static void traps_and_handles(void)
{
    struct trap_info trap = {3, 0, 0, 0};
    XEN_GUEST_HANDLE_64(uint8) handle;
    XEN_GUEST_HANDLE(uint8) short_handle;
    uint8_t byte = 0;

    TI_SET_DPL(&trap, 3);
    printf("trap: %u %u\n", TI_GET_DPL(&trap), TI_GET_IF(&trap));
    TI_SET_IF(&trap, 5);
    printf("trap: %u %u %u\n", trap.flags, TI_GET_DPL(&trap), TI_GET_IF(&trap));
    memset(&handle, 0xff, sizeof(handle));
    memset(&short_handle, 0xff, sizeof(short_handle));
    set_xen_guest_handle(handle, &byte);
    set_xen_guest_handle_raw(short_handle, &byte);
    printf("handle: %d %d\n", handle.p == &byte, short_handle.p == &byte);
}

int main(void)
{
    rings();
    traps_and_handles();
    return 0;
}

/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The smallest host on a network: answers ARP and ICMP echo for its address, and pings another if told to.
 *   ip=A.B.C.D   its own address (10.0.0.10)   to=A.B.C.D   whom to ping   count=N (4)   size=BYTES of each (56)
 * Without to= it answers until it is told to stop.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <pv/netfront.h>
#include <pv/pv.h>
#include <pv/threads.h>
#include <pv/time.h>

#define PATIENCE_NS  10000000000ULL
#define SECOND_NS    1000000000ULL
#define TYPE_IP      0x0800
#define TYPE_ARP     0x0806
#define ARP_REQUEST  1
#define ARP_REPLY    2
#define ICMP_REPLY   0
#define ICMP_REQUEST 8
#define PROTO_ICMP   1
#define IP_AT        14U
#define ICMP_AT      34U
#define DATA_AT      42U

static struct netfront *net;
static uint8_t own_ip[4], peer_ip[4], peer_mac[6];
static bool peer_known;
static uint8_t frame[NETFRONT_FRAME_MAX];

static void put16(uint8_t *at, unsigned int value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static unsigned int get16(const uint8_t *at)
{
    return (unsigned int)at[0] << 8 | at[1];
}

/* The Internet checksum (RFC 1071), 0 over a range that holds a right one. */
static unsigned int checksum(const uint8_t *at, size_t bytes)
{
    uint32_t sum = 0;

    for (size_t i = 0; i + 1 < bytes; i += 2)
        sum += get16(at + i);
    if (bytes & 1)
        sum += (uint32_t)at[bytes - 1] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return ~sum & 0xffff;
}

static void head(uint8_t *out, const uint8_t *to, unsigned int type)
{
    memcpy(out, to, 6);
    memcpy(out + 6, netfront_mac(net), 6);
    put16(out + 12, type);
}

static void send_arp(unsigned int operation, const uint8_t *mac, const uint8_t *ip)
{
    static const uint8_t everyone[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, fixed[6] = {0, 1, 8, 0, 6, 4};
    uint8_t out[60] = {0};

    head(out, operation == ARP_REQUEST ? everyone : mac, TYPE_ARP);
    memcpy(out + 14, fixed, 6);
    put16(out + 20, operation);
    memcpy(out + 22, netfront_mac(net), 6);
    memcpy(out + 28, own_ip, 4);
    memcpy(out + 32, mac, 6);
    memcpy(out + 38, ip, 4);
    (void)netfront_send(net, out, sizeof(out));
}

static void take_arp(size_t bytes)
{
    if (bytes < 42 || memcmp(frame + 38, own_ip, 4) != 0)
        return;
    if (memcmp(frame + 28, peer_ip, 4) == 0) {
        memcpy(peer_mac, frame + 22, 6);
        peer_known = true;
    }
    if (get16(frame + 20) == ARP_REQUEST)
        send_arp(ARP_REPLY, frame + 22, frame + 28);
}

/* Turns the request in the frame into its answer. */
static void answer_echo(size_t bytes)
{
    memcpy(frame, frame + 6, 6);
    memcpy(frame + 6, netfront_mac(net), 6);
    memcpy(frame + 30, frame + 26, 4);
    memcpy(frame + 26, own_ip, 4);
    frame[ICMP_AT] = ICMP_REPLY;
    put16(frame + ICMP_AT + 2, 0);
    put16(frame + ICMP_AT + 2, checksum(frame + ICMP_AT, bytes - ICMP_AT));
    (void)netfront_send(net, frame, bytes);
}

/* The length of a good ICMP echo message for us, end of frame's padding taken off; 0 when it is something else. */
static size_t echo_bytes(size_t bytes)
{
    size_t total = bytes > DATA_AT ? IP_AT + get16(frame + 16) : 0;

    if (total < DATA_AT || total > bytes || get16(frame + 12) != TYPE_IP || frame[IP_AT] != 0x45 ||
        frame[23] != PROTO_ICMP || memcmp(frame + 30, own_ip, 4) != 0 || checksum(frame + IP_AT, 20) != 0 ||
        checksum(frame + ICMP_AT, total - ICMP_AT) != 0)
        return 0;
    return total;
}

/* Serves what comes until the deadline; true when the answer to our request of this number came. */
static bool serve(uint64_t deadline, unsigned int number)
{
    ssize_t bytes;

    while ((bytes = netfront_receive(net, frame, sizeof(frame), deadline)) > 0) {
        size_t echo = echo_bytes((size_t)bytes);

        if (get16(frame + 12) == TYPE_ARP)
            take_arp((size_t)bytes);
        else if (echo != 0 && frame[ICMP_AT] == ICMP_REQUEST)
            answer_echo(echo);
        else if (echo != 0 && frame[ICMP_AT] == ICMP_REPLY && get16(frame + 40) == number)
            return true;
        if (number == 0 && peer_known)
            return true;
    }
    if (bytes < 0) {
        printf("ping: the network device: %s\n", strerror((int)-bytes));
        exit(1);
    }
    return false;
}

static void send_request(unsigned int number, size_t size)
{
    uint8_t out[NETFRONT_FRAME_MAX] = {0};
    size_t bytes = DATA_AT + size;

    head(out, peer_mac, TYPE_IP);
    out[IP_AT] = 0x45;
    put16(out + 16, (unsigned int)(bytes - IP_AT));
    out[22] = 64;
    out[23] = PROTO_ICMP;
    memcpy(out + 26, own_ip, 4);
    memcpy(out + 30, peer_ip, 4);
    put16(out + 24, checksum(out + IP_AT, 20));
    out[ICMP_AT] = ICMP_REQUEST;
    put16(out + 38, pv_domid());
    put16(out + 40, number);
    for (size_t i = 0; i < size; i++)
        out[DATA_AT + i] = (uint8_t)(i + number);
    put16(out + ICMP_AT + 2, checksum(out + ICMP_AT, bytes - ICMP_AT));
    (void)netfront_send(net, out, bytes);
}

static bool address_option(const char *name, const char *otherwise, uint8_t out[4])
{
    const char *text = pv_option(name);
    unsigned int a, b, c, d;

    if (text == NULL)
        text = otherwise;
    if (text == NULL || sscanf(text, "%u.%u.%u.%u", &a, &b, &c, &d) != 4 || (a | b | c | d) > 255)
        return false;
    out[0] = (uint8_t)a;
    out[1] = (uint8_t)b;
    out[2] = (uint8_t)c;
    out[3] = (uint8_t)d;
    return true;
}

static int ping(void)
{
    unsigned long count = pv_option_number("count", 4), size = pv_option_number("size", 56), answered = 0;
    static const uint8_t nobody[6];

    if (size > NETFRONT_FRAME_MAX - DATA_AT) {
        printf("ping: size=%lu is over %u, what one frame carries\n", size, NETFRONT_FRAME_MAX - DATA_AT);
        return 1;
    }
    for (unsigned int i = 0; i < 5 && !peer_known; i++) {
        send_arp(ARP_REQUEST, nobody, peer_ip);
        (void)serve(time_monotonic_ns() + SECOND_NS, 0);
    }
    for (unsigned int number = 1; peer_known && number <= count; number++) {
        uint64_t start = time_monotonic_ns();

        send_request(number, size);
        if (!serve(start + SECOND_NS, number))
            continue;
        answered++;
        printf("ping: %lu bytes answered in %" PRIu64 " us\n", size, (time_monotonic_ns() - start) / 1000);
    }
    printf("ping: %lu of %lu answered\n", answered, count);
    return answered == count ? 0 : 1;
}

int main(int argc, char **argv)
{
    const uint8_t *mac;
    int rc;

    if (!address_option("ip", "10.0.0.10", own_ip)) {
        printf("ping: ip= wants an address like 10.0.0.10\n");
        return 1;
    }
    net = netfront_open(0, time_monotonic_ns() + PATIENCE_NS);
    if (net == NULL) {
        printf("ping: eth0: %s\n", strerror(errno));
        return 1;
    }
    netfront_set_ip(net, own_ip);
    mac = netfront_mac(net);
    printf("ping: %u.%u.%u.%u is %02x:%02x:%02x:%02x:%02x:%02x\n", own_ip[0], own_ip[1], own_ip[2], own_ip[3], mac[0],
           mac[1], mac[2], mac[3], mac[4], mac[5]);
    if (pv_option("to") == NULL)
        for (;;)
            (void)serve(WAIT_FOREVER, 0x10000);
    rc = 1;
    if (!address_option("to", NULL, peer_ip))
        printf("ping: to= wants an address like 10.0.0.1\n");
    else
        rc = ping();
    netfront_close(net);
    return rc;
}

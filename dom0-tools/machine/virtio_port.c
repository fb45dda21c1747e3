/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A virtio serial device with several ports. Queues 2 and 3 carry control messages: which ports there are, what they are
 * called, whether someone is connected. Each port has a queue of pages to receive into and one of large buffers to send
 * from, which the device takes as few runs of machine memory as they happen to lie in. Memory is given to a port when it
 * is added and kept. A device that breaks the rules is reset, and all its ports are disconnected for good.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pv/threads.h>

#include "dma.h"
#include "interrupts.h"
#include "machine.h"
#include "serial_port.h"
#include "virtio.h"

#define FEATURE_MULTIPORT (1ull << 1)
#define CONFIG_PORTS      4

#define CONTROL_RECEIVE   2
#define CONTROL_SEND      3
#define PORTS_MAX         8u /* of one device; the standard sets up all queues before it starts */
#define CONTROL_PAGES     8u
#define CONTROL_ORDERS    32u

#define RECEIVE_PAGES     VIRTQUEUE_SIZE_MAX
#define SEND_PAGES        16u
#define SEND_BYTES        (SEND_PAGES * DMA_PAGE_BYTES)
#define SEND_BUFFERS      8u

_Static_assert(SEND_BUFFERS *SEND_PAGES <= VIRTQUEUE_SIZE_MAX, "all that is being sent fits the queue");

enum event { DEVICE_READY, PORT_ADD, PORT_REMOVE, PORT_READY, CONSOLE_PORT, RESIZE, PORT_OPEN, PORT_NAME };

struct control {
    uint32_t port;
    uint16_t event, value;
};

struct page {
    uint8_t *data;
    uint64_t machine;
    uint32_t bytes;
    struct page *next;
};

struct buffer {
    uint8_t *data;
    struct virtqueue_buffer runs[SEND_PAGES]; /* the whole buffer */
    uint32_t bytes;
    struct buffer *next;
};

struct serial_port {
    struct machine_device device;
    struct serial *serial;
    struct serial_port *next;
    uint32_t number;
    bool added;
    unsigned int connection;

    struct virtqueue receive, send;
    volatile uint16_t *receive_bell, *send_bell;
    struct page pages[RECEIVE_PAGES];
    struct page *come, **come_end; /* in the order they came */
    uint32_t offset;               /* of the first: consumed */
    unsigned int returned;         /* pages given back and not announced */
    struct buffer buffers[SEND_BUFFERS];
    struct buffer *free_buffers, *filling;
};

struct serial {
    struct machine_device device;
    struct virtio_device virtio;
    struct virtqueue control, orders;
    volatile uint16_t *control_bell, *orders_bell;
    struct page control_pages[CONTROL_PAGES];
    struct control *order_slots;
    uint64_t order_machine;
    uint32_t orders_free; /* a bit for each slot */
    struct serial_port ports[PORTS_MAX];
    unsigned int number, port_count;
    struct waitq wake;
    unsigned int moment;
};

static struct serial_port *ports, **ports_end = &ports;

static void (*listener)(struct serial_port *port);

void serial_port_listen(void (*added)(struct serial_port *port))
{
    listener = added;
    for (struct serial_port *port = ports; port != NULL; port = port->next)
        added(port);
}

const char *serial_port_name(const struct serial_port *port)
{
    return port->device.name;
}

unsigned int serial_port_connection(const struct serial_port *port)
{
    return port->connection;
}

static bool trouble(struct serial *serial, const char *text)
{
    snprintf(serial->virtio.problem, sizeof(serial->virtio.problem), "%s", text);
    return false;
}

static uint16_t receive_index(uint32_t number)
{
    return (uint16_t)(number == 0 ? 0 : 2 + 2 * number);
}

static void ring(struct serial *serial, struct virtqueue *queue, volatile uint16_t *bell, uint16_t index)
{
    if (virtqueue_must_notify(queue) && !queue->broken) {
        serial->device.notifications++;
        virtio_notify(bell, index);
    }
}

static void disconnect(struct serial_port *port)
{
    if (port->connection & 1)
        port->connection++;
    port->device.link = false;
}

static bool is_sane(struct serial *serial)
{
    bool broken = serial->control.broken || serial->orders.broken;

    if (serial->device.problem[0] != '\0')
        return false;
    for (unsigned int i = 0; i < serial->port_count; i++)
        broken |= serial->ports[i].receive.broken || serial->ports[i].send.broken;
    if (!broken)
        return true;
    virtio_give_up(&serial->virtio);
    snprintf(serial->device.problem, sizeof(serial->device.problem),
             "it broke the rules of its queues and was switched off");
    for (unsigned int i = 0; i < serial->port_count; i++) {
        disconnect(&serial->ports[i]);
        memcpy(serial->ports[i].device.problem, serial->device.problem, sizeof(serial->device.problem));
    }
    fprintf(stderr, "%s: %s\n", serial->device.name, serial->device.problem);
    return false;
}

/* An order is dropped when the device has not taken the last CONTROL_ORDERS: it then gets no further with us anyway. */
static void order(struct serial *serial, uint32_t port, enum event event, uint16_t value)
{
    struct virtqueue_buffer buffer = {.bytes = sizeof(struct control)};
    struct control *slot;
    uint32_t bytes;

    while ((slot = virtqueue_take(&serial->orders, &bytes)) != NULL)
        serial->orders_free |= 1u << (slot - serial->order_slots);
    if (serial->orders_free == 0)
        return;
    slot = &serial->order_slots[__builtin_ctz(serial->orders_free)];
    *slot = (struct control){.port = port, .event = (uint16_t)event, .value = value};
    buffer.machine = serial->order_machine + (uint64_t)(slot - serial->order_slots) * sizeof(*slot);
    if (virtqueue_add(&serial->orders, &buffer, 1, 0, slot))
        serial->orders_free &= ~(1u << (slot - serial->order_slots));
    ring(serial, &serial->orders, serial->orders_bell, CONTROL_SEND);
}

static bool give_page(struct virtqueue *queue, struct page *page)
{
    struct virtqueue_buffer buffer = {page->machine, DMA_PAGE_BYTES};

    return virtqueue_add(queue, &buffer, 0, 1, page);
}

static bool give_pages(struct virtqueue *queue, struct page *pages, unsigned int count)
{
    for (unsigned int i = 0; i < count; i++) {
        if (pages[i].data == NULL)
            pages[i].data = dma_page_alloc(&pages[i].machine);
        if (pages[i].data == NULL || !give_page(queue, &pages[i]))
            return false;
    }
    return true;
}

/* Neighbours in machine memory become one run. */
static bool make_buffer(struct buffer *buffer)
{
    unsigned int runs = 0;

    buffer->data = dma_run_alloc(SEND_PAGES);
    if (buffer->data == NULL)
        return false;
    for (unsigned int i = 0; i < SEND_PAGES; i++) {
        uint64_t machine = dma_machine(buffer->data + i * DMA_PAGE_BYTES);

        if (runs > 0 && buffer->runs[runs - 1].machine + buffer->runs[runs - 1].bytes == machine)
            buffer->runs[runs - 1].bytes += DMA_PAGE_BYTES;
        else
            buffer->runs[runs++] = (struct virtqueue_buffer){machine, DMA_PAGE_BYTES};
    }
    return true;
}

static bool make_buffers(struct serial_port *port)
{
    for (unsigned int i = 0; i < SEND_BUFFERS; i++) {
        if (!make_buffer(&port->buffers[i]))
            return false;
        port->buffers[i].next = port->free_buffers;
        port->free_buffers = &port->buffers[i];
    }
    return true;
}

/* Until it has its own name, a port is called by its number. */
static void add_port(struct serial *serial, uint32_t number)
{
    struct serial_port *port = &serial->ports[number];
    bool good;

    if (port->added)
        return;
    port->added = true;
    good = make_buffers(port) && give_pages(&port->receive, port->pages, port->receive.size);
    order(serial, number, PORT_READY, good);
    if (!good) {
        fprintf(stderr, "%s: there is no memory for port %u\n", serial->device.name, (unsigned int)number);
        return;
    }
    port->device.kind = "link";
    port->device.pci = serial->device.pci;
    snprintf(port->device.name, sizeof(port->device.name), "serial%hu.%hu", (uint16_t)serial->number, (uint16_t)number);
    *ports_end = port;
    ports_end = &port->next;
    machine_add(&port->device);
    ring(serial, &port->receive, port->receive_bell, receive_index(number));
    order(serial, number, PORT_OPEN, 1);
    if (listener != NULL)
        listener(port);
}

static bool name_taken(const char *name)
{
    const struct machine_device *device = NULL;

    while ((device = machine_next(device)) != NULL)
        if (strcmp(device->name, name) == 0)
            return true;
    return false;
}

/* A name that a command can be given, and that no other device has; otherwise the port keeps the one it has. */
static void name_port(struct serial_port *port, const uint8_t *text, size_t size)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    char name[sizeof(port->device.name)];

    while (size > 0 && text[size - 1] == '\0')
        size--;
    if (size == 0 || size >= sizeof(name))
        return;
    memcpy(name, text, size);
    name[size] = '\0';
    if (strspn(name, letters) == size && !name_taken(name))
        memcpy(port->device.name, name, size + 1);
}

static void on_control(struct serial *serial, const uint8_t *data, uint32_t bytes)
{
    struct control control;
    struct serial_port *port;

    if (bytes < sizeof(control) || bytes > DMA_PAGE_BYTES) {
        serial->control.broken = true;
        return;
    }
    memcpy(&control, data, sizeof(control));
    if (control.port >= serial->port_count)
        return;
    port = &serial->ports[control.port];
    if (control.event == PORT_ADD)
        add_port(serial, control.port);
    if (!port->added)
        return;
    if (control.event == PORT_NAME)
        name_port(port, data + sizeof(control), bytes - sizeof(control));
    if (control.event == PORT_REMOVE || (control.event == PORT_OPEN && !control.value))
        disconnect(port);
    if (control.event == PORT_OPEN && control.value && !(port->connection & 1)) {
        port->connection++;
        port->device.link = true;
    }
}

/* Whoever was woken by the same interrupt may have looked before: what a message changed is a new moment. */
static void take_control(struct serial *serial)
{
    struct page *page;
    uint32_t bytes;

    while ((page = virtqueue_take(&serial->control, &bytes)) != NULL) {
        on_control(serial, page->data, bytes);
        (void)give_page(&serial->control, page);
        serial->moment++;
    }
    waitq_wake(&serial->wake);
    ring(serial, &serial->control, serial->control_bell, CONTROL_RECEIVE);
}

static bool on_interrupt(void *data)
{
    struct serial *serial = data;

    if (virtio_interrupt_status(&serial->virtio) == 0)
        return false;
    serial->device.interrupts++;
    serial->moment++;
    waitq_wake(&serial->wake);
    return true;
}

static void serve(void *data)
{
    struct serial *serial = data;

    while (is_sane(serial)) {
        unsigned int moment;

        take_control(serial);
        moment = serial->moment;
        if (virtqueue_arm(&serial->control) && !serial->control.broken)
            wait_event(&serial->wake, serial->moment != moment);
    }
    serial->moment++;
    waitq_wake(&serial->wake);
}

/* The device's thread is to see that it broke a rule. */
static void look_after(struct serial_port *port, const struct virtqueue *queue)
{
    if (queue->broken && (port->connection & 1))
        serial_port_wake(port);
}

/* Pages that came, at the end of the list. */
static void gather(struct serial_port *port)
{
    struct page *page;
    uint32_t bytes;

    while ((page = virtqueue_take(&port->receive, &bytes)) != NULL) {
        if (bytes > DMA_PAGE_BYTES) {
            port->receive.broken = true;
            break;
        }
        page->bytes = bytes;
        page->next = NULL;
        if (port->come == NULL)
            port->come_end = &port->come;
        *port->come_end = page;
        port->come_end = &page->next;
        port->device.in_requests++;
        port->device.in_bytes += bytes;
    }
    look_after(port, &port->receive);
}

static void return_first(struct serial_port *port)
{
    struct page *page = port->come;

    port->come = page->next;
    port->offset = 0;
    (void)give_page(&port->receive, page);
    if (++port->returned >= RECEIVE_PAGES / 4 || port->come == NULL) {
        ring(port->serial, &port->receive, port->receive_bell, receive_index(port->number));
        port->returned = 0;
    }
}

const uint8_t *serial_port_peek(struct serial_port *port, size_t *size)
{
    gather(port);
    while (port->come != NULL && port->offset == port->come->bytes)
        return_first(port);
    if (port->come == NULL)
        return NULL;
    *size = port->come->bytes - port->offset;
    return port->come->data + port->offset;
}

void serial_port_consume(struct serial_port *port, size_t size)
{
    port->offset += (uint32_t)size;
    if (port->offset == port->come->bytes)
        return_first(port);
}

static void reclaim(struct serial_port *port)
{
    struct buffer *buffer;
    uint32_t bytes;

    while ((buffer = virtqueue_take(&port->send, &bytes)) != NULL) {
        buffer->next = port->free_buffers;
        port->free_buffers = buffer;
    }
    look_after(port, &port->send);
}

void serial_port_flush(struct serial_port *port)
{
    struct virtqueue_buffer runs[SEND_PAGES];
    struct buffer *buffer = port->filling;
    unsigned int count = 0;

    if (buffer == NULL)
        return;
    for (uint32_t left = buffer->bytes; left > 0; count++) {
        runs[count] = buffer->runs[count];
        if (runs[count].bytes > left)
            runs[count].bytes = left;
        left -= runs[count].bytes;
    }
    port->filling = NULL;
    port->device.out_requests++;
    port->device.out_bytes += buffer->bytes;
    if (!virtqueue_add(&port->send, runs, count, 0, buffer)) {
        buffer->next = port->free_buffers;
        port->free_buffers = buffer;
    }
    ring(port->serial, &port->send, port->send_bell, (uint16_t)(receive_index(port->number) + 1));
}

size_t serial_port_write(struct serial_port *port, const void *data, size_t size)
{
    size_t done = 0;

    while (done < size && port->device.problem[0] == '\0') {
        size_t part = size - done;

        if (port->filling == NULL) {
            if (port->free_buffers == NULL)
                reclaim(port);
            port->filling = port->free_buffers;
            if (port->filling == NULL)
                break;
            port->free_buffers = port->filling->next;
            port->filling->bytes = 0;
        }
        if (part > SEND_BYTES - port->filling->bytes)
            part = SEND_BYTES - port->filling->bytes;
        memcpy(port->filling->data + port->filling->bytes, (const uint8_t *)data + done, part);
        port->filling->bytes += (uint32_t)part;
        done += part;
        if (port->filling->bytes == SEND_BYTES)
            serial_port_flush(port);
    }
    return done;
}

unsigned int serial_port_moment(const struct serial_port *port)
{
    return __atomic_load_n(&port->serial->moment, __ATOMIC_ACQUIRE);
}

void serial_port_wake(struct serial_port *port)
{
    port->serial->moment++;
    waitq_wake(&port->serial->wake);
}

/* Interrupts are wanted for as long as someone waits. What is there without one is taken, so that it is news only once. */
bool serial_port_wait(struct serial_port *port, unsigned int moment, uint64_t deadline_ns)
{
    struct serial *serial = port->serial;
    bool idle = virtqueue_arm(&port->receive), sent = true;

    if (port->free_buffers == NULL && port->filling == NULL)
        sent = virtqueue_arm(&port->send);
    if (!idle || !sent) {
        gather(port);
        reclaim(port);
        serial_port_wake(port);
        thread_yield();
        return true;
    }
    return wait_event_until(&serial->wake, serial->moment != moment, deadline_ns);
}

static bool start_control(struct serial *serial)
{
    struct virtio_device *virtio = &serial->virtio;

    serial->order_slots = dma_page_alloc(&serial->order_machine);
    serial->orders_free = UINT32_MAX;
    _Static_assert(CONTROL_ORDERS == 32, "a bit for each");
    return virtio_queue_start(virtio, CONTROL_RECEIVE, &serial->control, &serial->control_bell) &&
           virtio_queue_start(virtio, CONTROL_SEND, &serial->orders, &serial->orders_bell) &&
           ((serial->order_slots != NULL &&
             give_pages(&serial->control, serial->control_pages,
                        serial->control.size < CONTROL_PAGES ? serial->control.size : CONTROL_PAGES)) ||
            trouble(serial, "there is no memory for its messages"));
}

static bool start_ports(struct serial *serial)
{
    uint64_t offered = virtio_config(&serial->virtio, CONFIG_PORTS, 4);

    serial->port_count = offered < PORTS_MAX ? (unsigned int)offered : PORTS_MAX;
    for (uint32_t i = 0; i < serial->port_count; i++) {
        struct serial_port *port = &serial->ports[i];

        port->serial = serial;
        port->number = i;
        port->come_end = &port->come;
        if (!virtio_queue_start(&serial->virtio, receive_index(i), &port->receive, &port->receive_bell) ||
            !virtio_queue_start(&serial->virtio, (uint16_t)(receive_index(i) + 1), &port->send, &port->send_bell))
            return false;
        if (port->send.size < SEND_PAGES)
            return trouble(serial, "its queues are too short");
        virtqueue_quiet(&port->send);
    }
    return true;
}

static bool set_up(struct serial *serial)
{
    const struct pci_function *pci = &serial->device.pci;

    if (!virtio_open(&serial->virtio, pci) ||
        !virtio_negotiate(&serial->virtio, FEATURE_MULTIPORT | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX))
        return false;
    if (!(serial->virtio.features & FEATURE_MULTIPORT))
        return trouble(serial, "it has no named ports");
    if (!start_ports(serial) || !start_control(serial))
        return false;
    if (!pci_has_interrupt(pci) || interrupt_attach(pci->interrupt_line, on_interrupt, serial) != 0)
        return trouble(serial, "it has no interrupt that reaches us");
    if (!virtio_start(&serial->virtio))
        return false;
    ring(serial, &serial->control, serial->control_bell, CONTROL_RECEIVE);
    order(serial, 0, DEVICE_READY, 1);
    return thread_create(serial->device.name, serve, serial) != NULL ||
           trouble(serial, "there is no memory for its thread");
}

struct machine_device *virtio_serial_start(const struct pci_function *pci, unsigned int number)
{
    struct serial *serial = calloc(1, sizeof(*serial));

    if (serial == NULL)
        return NULL;
    serial->device.kind = "serial ports";
    serial->device.pci = *pci;
    serial->number = number;
    snprintf(serial->device.name, sizeof(serial->device.name), "serial%u", number);
    if (!set_up(serial)) {
        virtio_give_up(&serial->virtio);
        memcpy(serial->device.problem, serial->virtio.problem, sizeof(serial->device.problem));
    }
    return &serial->device;
}

/* The floor of a fan-out: what one core does when nothing but send() is left to do.
 *
 *   floor GREETING-HEX        prints its address, serves until it is killed
 *
 * "GET /sub/0007" subscribes to channel 7 and is answered by the greeting, in which `%CHN` becomes
 * 0007.  "GET /pub" publishes: each of its messages is four digits, the channel, and what goes to
 * every subscriber of it, by one send() each.  It checks nothing, keeps nothing, and waits for a
 * subscriber that does not read: a yardstick, not a server.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CHANNELS = 10000, DIGITS = 4, EVENTS = 256 };

struct link {
  int fd, channel, upgraded, publishes;
  size_t have, room;
  uint8_t *in;
  struct link *next, *before; /* among the subscribers of its channel */
};

static struct link *first_of[CHANNELS];
static uint8_t greeting[8192];
static size_t greeting_size;

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void *checked(void *memory) {
  if (!memory) fail("memory");
  return memory;
}

/* 0: the connection is gone */
static int put(struct link *to, const uint8_t *data, size_t size) {
  while (size) {
    ssize_t sent = send(to->fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EAGAIN) {
      struct pollfd ready = {.fd = to->fd, .events = POLLOUT};
      poll(&ready, 1, -1);
      continue;
    }
    if (sent < 0) return 0;
    data += sent;
    size -= (size_t)sent;
  }
  return 1;
}

static size_t head(uint8_t *at, size_t size) {
  at[0] = 0x82;
  if (size < 126) {
    at[1] = (uint8_t)size;
    return 2;
  }
  at[1] = 126;
  at[2] = (uint8_t)(size >> 8);
  at[3] = (uint8_t)size;
  return 4;
}

static int number(const uint8_t *digits) {
  int value = 0;
  for (int i = 0; i < DIGITS; i++) value = 10 * value + (digits[i] - '0') % 10;
  return value < 0 ? 0 : value;
}

static void end(struct link *it) {
  if (it->upgraded && !it->publishes) {
    if (it->before) it->before->next = it->next;
    else first_of[it->channel] = it->next;
    if (it->next) it->next->before = it->before;
  }
  close(it->fd);
  free(it->in);
  free(it);
}

static int greet(struct link *it) {
  uint8_t frame[sizeof greeting + 4], digits[16];
  size_t start = head(frame, greeting_size);
  memcpy(frame + start, greeting, greeting_size);
  snprintf((char *)digits, sizeof digits, "%04d", it->channel % CHANNELS);
  uint8_t *at = frame + start, *stop = at + greeting_size;
  while ((at = memmem(at, (size_t)(stop - at), "%CHN", DIGITS))) memcpy(at, digits, DIGITS);
  return put(it, frame, start + greeting_size);
}

/* Bytes used of the request; 0: not whole yet, -1: gone */
static long upgrade(struct link *it) {
  static const char answer[] =
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
  uint8_t *stop = memmem(it->in, it->have, "\r\n\r\n", 4);
  if (!stop) return 0;
  it->publishes = !memcmp(it->in, "GET /pub", 8);
  it->channel = it->publishes ? 0 : number(it->in + sizeof "GET /sub/" - 1);
  it->upgraded = 1;
  if (!it->publishes) {
    it->next = first_of[it->channel];
    if (it->next) it->next->before = it;
    first_of[it->channel] = it;
  }
  if (!put(it, (const uint8_t *)answer, sizeof answer - 1) || !greet(it)) return -1;
  return stop + 4 - it->in;
}

static void broadcast(uint8_t *message, size_t size) {
  static uint8_t frame[65536 + 4];
  if (size < DIGITS || size > 65535) return;
  size_t start = head(frame, size - DIGITS);
  memcpy(frame + start, message + DIGITS, size - DIGITS);
  for (struct link *it = first_of[number(message)]; it; it = it->next)
    put(it, frame, start + size - DIGITS); /* who is gone is ended when it is read */
}

/* Bytes used of one masked frame; 0: not whole yet, -1: a farewell */
static long message(struct link *it, uint8_t *at, size_t have) {
  if (have < 2) return 0;
  size_t size = at[1] & 127, start = 2;
  if (size == 126) {
    if (have < 4) return 0;
    size = (size_t)at[2] << 8 | at[3];
    start = 4;
  } else if (size == 127) {
    return -1;
  }
  if (have < start + 4 + size) return 0;
  uint8_t *mask = at + start, *body = mask + 4;
  for (size_t i = 0; i < size; i++) body[i] ^= mask[i & 3];
  if ((at[0] & 15) == 8) return -1;
  if (it->publishes && (at[0] & 15) < 3) broadcast(body, size);
  return (long)(start + 4 + size);
}

static int readable(struct link *it) {
  for (;;) {
    if (it->room - it->have < 65536) {
      it->room = it->have + 65536 + 1;
      it->in = checked(realloc(it->in, it->room));
    }
    ssize_t got = recv(it->fd, it->in + it->have, it->room - it->have - 1, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) break;
    if (got <= 0) return 0;
    it->have += (size_t)got;
    if (it->have < it->room - 1) break;
  }
  size_t used = 0;
  for (long step = 1; step && used < it->have; used += (size_t)step) {
    step = it->upgraded ? message(it, it->in + used, it->have - used) : upgrade(it);
    if (step < 0) return 0;
  }
  it->have -= used;
  memmove(it->in, it->in + used, it->have);
  if (!it->have && !it->publishes) {
    free(it->in);
    it->in = 0;
    it->room = 0;
  }
  return 1;
}

static void welcome(int listener, int epoll) {
  int fd;
  while ((fd = accept4(listener, 0, 0, SOCK_NONBLOCK)) >= 0) {
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct link *it = checked(calloc(1, sizeof *it));
    it->fd = fd;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = it};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event)) fail("epoll_ctl");
  }
}

static int listening(void) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof at;
  if (fd < 0 || bind(fd, (struct sockaddr *)&at, size) || listen(fd, 4096)) fail("listen");
  if (getsockname(fd, (struct sockaddr *)&at, &size)) fail("getsockname");
  printf("http://127.0.0.1:%d\n", ntohs(at.sin_port));
  fflush(stdout);
  return fd;
}

int main(int count, char **arguments) {
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  const char *hex = count > 1 ? arguments[1] : "";
  for (unsigned byte; greeting_size < sizeof greeting && sscanf(hex, "%2x", &byte) == 1; hex += 2)
    greeting[greeting_size++] = (uint8_t)byte;
  int epoll = epoll_create1(0), listener = listening();
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = 0}, events[EVENTS];
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event)) fail("epoll_ctl");
  for (;;) {
    int ready = epoll_wait(epoll, events, EVENTS, -1);
    for (int i = 0; i < ready; i++) {
      struct link *it = events[i].data.ptr;
      if (!it) welcome(listener, epoll);
      else if (!readable(it)) end(it);
    }
  }
}

// A board that runs the sketch: its serial port is standard input and output, and a test holds its
// pins and its clock over the file descriptor of the first argument. Each command is a line, and
// is answered by one:
//
//   at MS        the clock stands there
//   pin N LEVEL  a pin changes, and an interrupt on it happens
//   adc N VALUE  what analogRead returns
//   see N        loop() runs; the answer is what the pin was set to, 0 to 255
//   stall 1|0    the serial port takes nothing more / takes it again
//
// While the sketch waits for its serial port, commands and so interrupts go on, as on a real board.

#include "Arduino.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <string>

namespace {

const int PINS = 32;
int control;
std::string commands;
uint32_t now = 0;
bool stalled = false;
bool maskedInterrupts = false;
int levels[PINS];
int outputs[PINS];
int samples[PINS];
void (*callbacks[PINS])();
bool isPending[PINS];

[[noreturn]] void fail(const char *what) {
  fprintf(stderr, "board: %s (%s)\n", what, strerror(errno));
  exit(1);
}

int pinOf(int pin) {
  if (pin < 0 || pin >= PINS) fail("no such pin");
  return pin;
}

void interrupt(int pin) {
  if (maskedInterrupts) {
    isPending[pin] = true;
  } else if (callbacks[pin] != nullptr) {
    maskedInterrupts = true;  // as on an AVR: none within another
    callbacks[pin]();
    maskedInterrupts = false;
  }
}

std::string obey(const std::string &line, bool isInLoop) {
  int pin = 0, value = 0;
  unsigned long moment = 0;
  if (sscanf(line.c_str(), "at %lu", &moment) == 1) {
    now = static_cast<uint32_t>(moment);
  } else if (sscanf(line.c_str(), "pin %d %d", &pin, &value) == 2) {
    if (levels[pinOf(pin)] != value) {
      levels[pin] = value;
      interrupt(pin);
    }
  } else if (sscanf(line.c_str(), "adc %d %d", &pin, &value) == 2) {
    samples[pinOf(pin)] = value;
  } else if (sscanf(line.c_str(), "stall %d", &value) == 1) {
    stalled = value != 0;
  } else if (sscanf(line.c_str(), "see %d", &pin) == 1) {
    if (!isInLoop) loop();
    return std::to_string(outputs[pinOf(pin)]);
  } else {
    fail(line.c_str());
  }
  return "ok";
}

void takeCommands(bool isInLoop) {
  char piece[4096];
  const ssize_t size = read(control, piece, sizeof piece);
  if (size == 0) exit(0);  // the test is over
  if (size < 0) fail("reading commands");
  commands.append(piece, size);
  size_t end;
  while ((end = commands.find('\n')) != std::string::npos) {
    const std::string answer = obey(commands.substr(0, end), isInLoop) + "\n";
    commands.erase(0, end + 1);
    if (write(control, answer.data(), answer.size()) < 0) fail("answering");
  }
}

void send(const std::string &text) {
  size_t sent = 0;
  while (sent < text.size()) {
    const ssize_t size = stalled ? -1 : write(STDOUT_FILENO, &text[sent], text.size() - sent);
    if (size > 0) {
      sent += size;
      continue;
    }
    if (!stalled && errno != EAGAIN) fail("writing the serial port");
    struct pollfd wait[] = {{control, POLLIN, 0}, {STDOUT_FILENO, POLLOUT, 0}};
    poll(wait, stalled ? 1 : 2, -1);
    if (wait[0].revents) takeCommands(true);
  }
}

}  // namespace

SerialPort Serial;

void SerialPort::begin(long) {}
void SerialPort::print(const char *text) { send(text); }
void SerialPort::print(unsigned long number) { send(std::to_string(number)); }
void SerialPort::println(unsigned long number) { send(std::to_string(number) + "\r\n"); }

int SerialPort::available() {
  struct pollfd wait = {STDIN_FILENO, POLLIN, 0};
  return poll(&wait, 1, 0) == 1 && (wait.revents & POLLIN) ? 1 : 0;
}

int SerialPort::read() {
  unsigned char c;
  return ::read(STDIN_FILENO, &c, 1) == 1 ? c : -1;
}

unsigned long millis() { return now; }
void pinMode(int pin, int mode) {
  if (mode == INPUT_PULLUP) levels[pinOf(pin)] = HIGH;
}
int digitalRead(int pin) { return levels[pinOf(pin)]; }
void digitalWrite(int pin, int level) { outputs[pinOf(pin)] = level ? 255 : 0; }
int analogRead(int pin) { return samples[pinOf(pin)]; }
void analogWrite(int pin, int value) { outputs[pinOf(pin)] = value; }
void attachInterrupt(int pin, void (*callback)(), int) { callbacks[pinOf(pin)] = callback; }
void noInterrupts() { maskedInterrupts = true; }

void interrupts() {
  maskedInterrupts = false;
  for (int pin = 0; pin < PINS; pin++) {
    if (isPending[pin]) {
      isPending[pin] = false;
      interrupt(pin);
    }
  }
}

int main(int count, char **arguments) {
  if (count != 2) fail("usage: board FD");
  control = atoi(arguments[1]);
  for (int fd : {STDIN_FILENO, STDOUT_FILENO}) fcntl(fd, F_SETFL, O_NONBLOCK);
  setup();
  for (;;) {
    loop();
    struct pollfd wait[] = {{control, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
    poll(wait, 2, 2);  // a real board does not wait at all
    if (wait[0].revents) takeCommands(false);
  }
}

// As much of the Arduino core as the sketch in examples/ uses, on a computer: see board.cpp.
#pragma once

#include <stdint.h>
#include <string.h>

#define HIGH 1
#define LOW 0
#define OUTPUT 1
#define INPUT_PULLUP 2
#define CHANGE 1
#define LED_BUILTIN 13
#define A0 14
#define digitalPinToInterrupt(pin) (pin)

void setup();
void loop();

unsigned long millis();
void pinMode(int pin, int mode);
int digitalRead(int pin);
void digitalWrite(int pin, int level);
int analogRead(int pin);
void analogWrite(int pin, int value);
void attachInterrupt(int pin, void (*callback)(), int mode);
void noInterrupts();
void interrupts();

class SerialPort {
 public:
  void begin(long baud);
  int available();
  int read();
  void print(const char *text);
  void print(unsigned long number);
  void println(unsigned long number);
};

extern SerialPort Serial;

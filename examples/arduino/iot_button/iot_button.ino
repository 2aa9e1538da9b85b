// A push button as lines over USB, for `iot-button device serial`. README.md has the wiring.
//
// An interrupt notes each change of the contact with its moment; loop() sends them. So no press is
// lost while the serial line is busy. Debouncing is the computer's work: every bounce is sent.

// --- What may be changed, here or by the compiler's -D

#ifndef BUTTON_PIN
#define BUTTON_PIN 2  // it must have an interrupt: 2 or 3 on an Uno or Nano, any on most others
#endif
#ifndef RGB_LED
#define RGB_LED 0  // 1: an RGB LED on the three pins below; 0: one LED on LED_PIN
#endif
#ifndef LED_PIN
#define LED_PIN LED_BUILTIN
#endif
#ifndef RED_PIN
#define RED_PIN 9  // the three must be able to do PWM (marked ~ on the board)
#define GREEN_PIN 10
#define BLUE_PIN 11
#endif
#ifndef COMMON_ANODE
#define COMMON_ANODE 0  // 1: the LED's common pin is at 5 V, and LOW means lit
#endif
#ifndef BATTERY_LINES
#define BATTERY_LINES 0  // 1: measure a battery behind a divider, and tell it
#endif
#ifndef BATTERY_PIN
#define BATTERY_PIN A0
#endif
#ifndef BATTERY_FULL_SCALE
#define BATTERY_FULL_SCALE 10000UL  // mV of the battery at which the pin has ADC_TOP + 1
#endif
#ifndef ADC_TOP
#define ADC_TOP 1023UL
#endif
#define BATTERY_EVERY 600000UL  // ms
#define BAUD 115200
#define FIRMWARE "arduino 1.0"

#ifndef IRAM_ATTR  // where the ESP8266 and the ESP32 keep what an interrupt runs
#define IRAM_ATTR
#endif

// --- The ring between the interrupt and loop(): one writes `head`, the other `tail`

struct Edge {
  uint32_t moment;  // ms
  bool isPressed;
};

const uint8_t RING = 64;  // a power of two
volatile Edge ring[RING];
volatile uint8_t head = 0;
volatile uint8_t tail = 0;
volatile bool noted = false;  // the level that was noted last; false: released

bool isPressed() { return digitalRead(BUTTON_PIN) == LOW; }

void IRAM_ATTR note() {
  const bool now = isPressed();
  const uint8_t next = (head + 1) % RING;
  if (now == noted || next == tail) return;  // too short to be seen, or full: loop() will see
  ring[head].moment = millis();
  ring[head].isPressed = now;
  head = next;
  noted = now;
}

void sendEdge(bool pressed, uint32_t moment) {
  Serial.print(pressed ? "D " : "U ");
  Serial.println((unsigned long)moment);
}

void sendEdges() {
  while (tail != head) {
    const bool pressed = ring[tail].isPressed;
    const uint32_t moment = ring[tail].moment;
    tail = (tail + 1) % RING;
    sendEdge(pressed, moment);
  }
  // A change that found the ring full, or came before the interrupt was on, is seen here.
  noInterrupts();
  note();
  interrupts();
}

// --- The light

enum {
  LIGHT_OFF,
  LIGHT_CONNECTING,
  LIGHT_TAKEN,
  LIGHT_QUEUED,
  LIGHT_PUBLISHED,
  LIGHT_PROCESSED,
  LIGHT_FAILED
};
const char *const LIGHTS[] = {
    "off", "connecting", "taken", "queued", "published", "processed", "failed"};
uint8_t light = LIGHT_OFF;

#if RGB_LED
void shine(uint8_t red, uint8_t green, uint8_t blue) {
  analogWrite(RED_PIN, COMMON_ANODE ? 255 - red : red);
  analogWrite(GREEN_PIN, COMMON_ANODE ? 255 - green : green);
  analogWrite(BLUE_PIN, COMMON_ANODE ? 255 - blue : blue);
}

void showLight() {
  const uint8_t blink = (millis() / 250) % 2 ? 0 : 255;
  switch (light) {
    case LIGHT_CONNECTING: shine(blink, blink, blink); break;
    case LIGHT_TAKEN:
    case LIGHT_QUEUED: shine(255, 80, 0); break;  // amber
    case LIGHT_PUBLISHED: shine(0, blink, 0); break;
    case LIGHT_PROCESSED: shine(0, 255, 0); break;
    case LIGHT_FAILED: shine(255, 0, 0); break;
    default: shine(0, 0, 0);
  }
}

void setUpLight() {
  pinMode(RED_PIN, OUTPUT);
  pinMode(GREEN_PIN, OUTPUT);
  pinMode(BLUE_PIN, OUTPUT);
}
#else
// One LED has no colours: each state has a rhythm. A bit is an eighth of a second, the last first.
const uint8_t RHYTHMS[] = {0x00, 0x0F, 0x77, 0x11, 0x55, 0xFF, 0x05};

void showLight() {
  const bool isOn = (RHYTHMS[light] >> ((millis() / 125) % 8)) & 1;
  digitalWrite(LED_PIN, isOn != (bool)COMMON_ANODE ? HIGH : LOW);
}

void setUpLight() { pinMode(LED_PIN, OUTPUT); }
#endif

// --- What else it says, and what it is told

void sendBattery() {
#if BATTERY_LINES
  Serial.print("BATTERY ");
  Serial.println((unsigned long)(analogRead(BATTERY_PIN) * BATTERY_FULL_SCALE / (ADC_TOP + 1)));
#endif
}

void sayHello() {
  // After an empty line: whatever noise there was before is then a line of its own.
  Serial.print("\r\nHELLO iot-button " FIRMWARE "\r\n");
  sendBattery();
}

void obey(const char *line) {
  if (strcmp(line, "HELLO?") == 0) sayHello();
  if (strncmp(line, "LIGHT ", 6) != 0) return;
  for (uint8_t i = LIGHT_OFF; i <= LIGHT_FAILED; i++) {
    if (strcmp(line + 6, LIGHTS[i]) == 0) light = i;
  }
}

void readLines() {
  static char line[32];
  static uint8_t length = 0;
  while (Serial.available() > 0) {
    const char c = Serial.read();
    if (c == '\n') {
      line[length < sizeof line ? length : 0] = 0;  // one that was too long is none
      obey(line);
      length = 0;
    } else if (c != '\r' && length < sizeof line) {
      line[length++] = c;
    }
  }
}

void setup() {
  pinMode(BUTTON_PIN, INPUT_PULLUP);
  setUpLight();
  Serial.begin(BAUD);
  sayHello();
  attachInterrupt(digitalPinToInterrupt(BUTTON_PIN), note, CHANGE);
}

void loop() {
  sendEdges();
  readLines();
  showLight();
#if BATTERY_LINES
  static uint32_t told = 0;
  if ((uint32_t)millis() - told >= BATTERY_EVERY) {
    told = millis();
    sendBattery();
  }
#endif
}

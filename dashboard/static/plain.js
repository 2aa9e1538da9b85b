// A page that only reads: the header still says how the connection is.

import { follow } from "./shell.js";

follow();

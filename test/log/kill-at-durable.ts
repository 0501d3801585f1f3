/**
 * Loaded before anything else, in every thread: kills the process at the durable write that `PORTCULLIS_TEST_KILL` names
 * (`log-commit:before:3`).
 */

import { interceptDurable } from "../../src/edge/store/durable.ts";

const [name, moment, count] = (process.env["PORTCULLIS_TEST_KILL"] ?? "").split(":");
let seen = 0;

if (name !== undefined && name !== "") {
  interceptDurable((durable, write) => {
    const isHere = durable === name && ++seen === Number(count);
    if (isHere && moment === "before") process.kill(process.pid, "SIGKILL");
    const result = write();
    if (isHere && moment === "after") process.kill(process.pid, "SIGKILL");
    return result;
  });
}

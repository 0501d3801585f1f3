/**
 * Loaded before anything else, in every thread of a server: its wall clock is off by `PORTCULLIS_TEST_SHIFT_MS`. What does not ask the
 * runtime for the time (TLS, the disk, the API server) has the machine's.
 */

const shiftMs = Number(process.env["PORTCULLIS_TEST_SHIFT_MS"] ?? "0");
const trueMs = Date.now.bind(Date);

globalThis.Date = new Proxy(Date, {
  construct: (target, args, self) =>
    Reflect.construct(target, args.length === 0 ? [trueMs() + shiftMs] : args, self),
});
Date.now = () => trueMs() + shiftMs;

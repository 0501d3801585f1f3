/**
 * The one way to run without Kubernetes, and it is said: `describe("...", { skip: skipKube }, ...)`. `test/run.ts` counts the files that
 * name this, and says at its end how many were not tested.
 */

/** A reason, or false: run. */
export const skipKube: string | false =
  process.env["PORTCULLIS_SKIP_KUBE"] === "1" &&
  "PORTCULLIS_SKIP_KUBE=1: nothing here was tested against a Kubernetes API server";

/** `metav1.MicroTime`: it wants six digits. @param ms Unix */
export function microTime(ms: number): string {
  return new Date(ms).toISOString().replace("Z", "000Z");
}

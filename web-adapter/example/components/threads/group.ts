/** When a conversation was last at work, as a calendar on the wall has it. */
export type Group = "Today" | "Yesterday" | "Earlier";

/** Of a time in Unix ms, by the reader's own days; undefined: it has just begun. */
export function groupOf(updated: number | undefined, now: number): Group {
  const today = new Date(now).setHours(0, 0, 0, 0);
  if (updated === undefined || updated >= today) return "Today";
  // By the calendar: a day has 23 or 25 hours where clocks change.
  const yesterday = new Date(today);
  yesterday.setDate(yesterday.getDate() - 1);
  return updated >= yesterday.getTime() ? "Yesterday" : "Earlier";
}

/** Whether a title has all the words, in any order and whatever their case and accents. */
export function matches(title: string, query: string): boolean {
  const words = plain(query).split(/\s+/).filter(Boolean);
  const text = plain(title);
  return words.every((word) => text.includes(word));
}

const plain = (text: string) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

import type { HelperView, TaskView } from "crew-web-adapter";
import { createContext, type ReactNode } from "react";

/** What a page shows and offers at the head of each task, beside what every page does; null: nothing. */
export const TaskExtras = createContext<((task: TaskView | HelperView) => ReactNode) | null>(null);

// Draws charts as SVG with Apache ECharts, without a page. Each chart is drawn twice: on a light and on a dark
// background.
import * as echarts from 'echarts'

const WIDTH = 860
const THEMES = [
  {
    suffix: '',
    background: '#ffffff',
    text: '#1f2937',
    muted: '#57606a',
    grid: '#e5e7eb',
    ours: '#c2410c',
    wall: '#475569',
    other: '#7dabe8',
    colours: ['#c2410c', '#475569', '#2563eb', '#16a34a', '#9333ea', '#ca8a04'],
  },
  {
    suffix: '-dark',
    background: '#0d1117',
    text: '#e6edf3',
    muted: '#9198a1',
    grid: '#2a313c',
    ours: '#fb923c',
    wall: '#a8b3c1',
    other: '#3f6fb5',
    colours: ['#fb923c', '#a8b3c1', '#60a5fa', '#4ade80', '#c084fc', '#facc15'],
  },
]

/** Returns [{ file, svg }]: `name`.svg and `name`-dark.svg. `optionOf` gives the chart's own part for a theme. */
function draw({ name, title, facts, height }, optionOf) {
  return THEMES.map((theme) => {
    const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height })
    chart.setOption({
      animation: false,
      backgroundColor: theme.background,
      textStyle: { fontFamily: 'sans-serif', color: theme.text },
      title: {
        text: title,
        subtext: facts,
        left: 16,
        top: 12,
        textStyle: { fontSize: 16, color: theme.text },
        subtextStyle: { fontSize: 12, color: theme.muted },
      },
      ...optionOf(theme),
    })
    const svg = chart.renderToSVGString()
    chart.dispose()
    return { file: `${name}${theme.suffix}.svg`, svg: `${svg}\n` }
  })
}

const axis = (theme, name, nameGap, more) => ({
  name,
  nameGap,
  nameLocation: 'middle',
  nameTextStyle: { color: theme.muted, fontSize: 12 },
  axisLabel: { color: theme.text, fontSize: 12 },
  axisLine: { show: true, lineStyle: { color: theme.muted } },
  splitLine: { lineStyle: { color: theme.grid } },
  ...more,
})

const scale = (log) => (log ? { type: 'log', logBase: 10 } : { type: 'value' })

/**
 * Draws lines. `series`: [{ name, points: [[x, y]], colour: its number in the theme }]. `dots` draws points without
 * lines, for values that vary much. `log` makes both axes logarithmic, or only the one that it names.
 */
export const lines = ({ x, y, series, dots = false, log = false, ...chart }) =>
  draw({ ...chart, height: series.length > 4 ? 480 : 460 }, (theme) => ({
    legend: { show: series.length > 1, bottom: 10, itemWidth: 18, textStyle: { fontSize: 12, color: theme.text } },
    grid: { left: 68, right: 32, top: 84, bottom: series.length > 4 ? 108 : series.length > 1 ? 88 : 56 },
    xAxis: axis(theme, x, 30, { ...scale(log === true), ...(log === true && { min: 'dataMin' }) }),
    yAxis: axis(theme, y, 44, scale(log)),
    series: series.map(({ name, points, colour }) => ({
      name,
      type: dots ? 'scatter' : 'line',
      data: points,
      symbol: 'circle',
      symbolSize: dots ? 4 : 7,
      color: theme.colours[colour],
      lineStyle: { width: 2 },
    })),
  }))

/** Draws bars, the smallest value on top. `bars`: [{ name, value, note, ours, wall }]. */
export function bars({ x, bars: given, ...chart }) {
  const sorted = [...given].sort((one, other) => other.value - one.value)
  return draw({ ...chart, height: 140 + 28 * sorted.length }, (theme) => ({
    grid: { left: 270, right: 130, top: 76, bottom: 56 },
    xAxis: axis(theme, x, 30, { type: 'value', min: 0 }),
    yAxis: axis(theme, undefined, 0, {
      type: 'category',
      data: sorted.map(({ name }) => name),
      axisTick: { show: false },
    }),
    series: [
      {
        type: 'bar',
        barWidth: '62%',
        label: {
          show: true,
          position: 'right',
          color: theme.text,
          formatter: ({ dataIndex }) => sorted[dataIndex].note,
        },
        data: sorted.map(({ value, ours, wall }) => ({
          value,
          itemStyle: { color: ours ? theme.ours : wall ? theme.wall : theme.other },
        })),
      },
    ],
  }))
}

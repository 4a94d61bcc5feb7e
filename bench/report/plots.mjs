// Draws plots as SVG, by ECharts without a page.
import * as echarts from 'echarts'

const SIZE = { width: 860, height: 460 }
const COLOURS = [
  '#c2410c',
  '#475569',
  '#2563eb',
  '#16a34a',
  '#9333ea',
  '#ca8a04',
  '#0891b2',
  '#db2777',
  '#65a30d',
  '#7c3aed',
  '#0f766e',
  '#b91c1c',
  '#a16207',
  '#1d4ed8',
]

function draw(option, size = SIZE) {
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, ...size })
  chart.setOption({
    animation: false,
    backgroundColor: '#ffffff',
    color: COLOURS,
    textStyle: { fontFamily: 'sans-serif' },
    ...option,
  })
  const svg = chart.renderToSVGString()
  chart.dispose()
  return svg
}

const axis = (name, type, more = {}) => ({
  name,
  type,
  nameLocation: 'middle',
  nameGap: 36,
  minorSplitLine: { show: false },
  ...more,
})

/** `series`: [{ name, points: [[x, y]], dashed }] */
export const lines = ({ title, x, y, series, log = false, scatter = false }) =>
  draw({
    title: { text: title, left: 12, top: 8, textStyle: { fontSize: 15 } },
    legend: { bottom: 4, itemWidth: 18, textStyle: { fontSize: 11 } },
    grid: { left: 64, right: 24, top: 44, bottom: series.length > 6 ? 104 : 84 },
    xAxis: axis(x, log ? 'log' : 'value'),
    yAxis: axis(y, log ? 'log' : 'value', { nameGap: 46 }),
    series: series.map(({ name, points, dashed }) => ({
      name,
      type: scatter && !dashed ? 'scatter' : 'line',
      data: points,
      symbolSize: scatter ? 4 : 6,
      showSymbol: !dashed,
      lineStyle: { width: 2, type: dashed ? 'dashed' : 'solid' },
    })),
  })

/** `bars`: [{ name, value, ours, note }], with the quickest on top. */
export function bars({ title, x, bars: given }) {
  const sorted = [...given].sort((one, other) => other.value - one.value)
  // On a logarithmic axis bars begin at 1 unless a least value is given.
  const least = 10 ** Math.floor(Math.log10(Math.min(...given.map(({ value }) => value))))
  return draw(
    {
      title: { text: title, left: 12, top: 8, textStyle: { fontSize: 15 } },
      grid: { left: 290, right: 110, top: 44, bottom: 56 },
      xAxis: axis(x, 'log', { min: least, startValue: least }),
      yAxis: { type: 'category', data: sorted.map(({ name }) => name), axisTick: { show: false } },
      series: [
        {
          type: 'bar',
          barWidth: '62%',
          label: { show: true, position: 'right', formatter: ({ dataIndex }) => sorted[dataIndex].note },
          data: sorted.map(({ value, ours, wall }) => ({
            value,
            itemStyle: { color: ours ? COLOURS[0] : wall ? COLOURS[1] : '#93c5fd' },
          })),
        },
      ],
    },
    { ...SIZE, height: 110 + 27 * sorted.length },
  )
}

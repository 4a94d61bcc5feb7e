// `npm run build:www`: builds the whole site into www/dist, for any static host: page, guides and API reference.
import { buildAnyWeight } from '../../scripts/build.mjs'
import { at, main, run, say, step } from '../../scripts/lib.mjs'

main(async () => {
  await buildAnyWeight({ purpose: 'demo' })
  const { build: vite } = await import('vite')
  await step('vite build of the site', () =>
    vite({ root: at('www'), configFile: at('www/vite.config.ts'), logLevel: 'warn' }),
  )
  await step('API reference', () => run('npm', ['run', '--silent', 'docs:api'], { quiet: true }))
  say('the site is in www/dist')
})

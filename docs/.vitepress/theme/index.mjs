import DefaultTheme from 'vitepress/theme'
import { h } from 'vue'
import HeroImage from './HeroImage.vue'
import SearchBox from './SearchBox.vue'
import './style.css'

export default {
  extends: DefaultTheme,
  Layout: () =>
    h(DefaultTheme.Layout, null, {
      'nav-bar-content-before': () => h(SearchBox),
      'home-hero-image': () => h(HeroImage),
    }),
}
